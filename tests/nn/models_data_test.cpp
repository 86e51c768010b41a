#include <kindling/core/error.hpp>
#include <kindling/core/files.hpp>
#include <kindling/nn/models.hpp>
#include <kindling/nn/weights.hpp>

#include "nn/formula_tensors.hpp"

#include <cstdlib>

#include <gtest/gtest.h>
#include <torch/nn.h>
#include <torch/utils.h>

namespace kindling {
namespace {

using namespace kindling::testing;

fs::path shared_data() {
  const char* set = std::getenv("KINDLING_SHARED_DATA");
  return set != nullptr ? fs::path(set) : fs::path(KINDLING_SOURCE_DIR "/../shared/data");
}

fs::path cached_lite0() {
  if (const char* home = std::getenv("KINDLING_HOME"))
    return fs::path(home) / "weights/efficientnet_lite0.safetensors";
  const char* user = std::getenv("HOME");
  return fs::path(user != nullptr ? user : "") / ".cache/kindling/weights/efficientnet_lite0.safetensors";
}

void expect_golden_logits(const std::string& arch, const fs::path& file, const std::string& golden_name) {
  const auto model = create_model(arch, {.num_classes = 1000});
  EXPECT_TRUE(load_state_dict(*model, Weights::open(file)).complete());
  model->eval();
  const torch::NoGradGuard no_grad;
  const torch::Tensor logits = model->forward(formula_image(2, 224, 224));
  const Json want = golden(golden_name);
  expect_numbers(logits, want, 1e-4, arch);
  const torch::Tensor top = std::get<1>(logits[0].topk(5));
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(top[i].item<int>(), want.at("top5")[static_cast<std::size_t>(i)].get<int>());
}

TEST(RealWeights, SqueezeNetGivesTorchvisionsLogits) {
  const fs::path file = shared_data() / "weights/squeezenet1_0-imagenet-songhan.safetensors";
  if (!fs::exists(file)) GTEST_SKIP() << "needs " << file.filename() << " of the shared data sets";
  expect_golden_logits("squeezenet1_0", file, "squeezenet1_0_real");
}

TEST(RealWeights, Lite0GivesTimmsLogits) {
  const fs::path file = cached_lite0();
  if (!fs::exists(file)) GTEST_SKIP() << "needs EfficientNet-Lite0's weights in the cache";
  expect_golden_logits("efficientnet_lite0", file, "lite0_real");
}

}  // namespace
}  // namespace kindling
