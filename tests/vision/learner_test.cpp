#include <kindling/core/error.hpp>
#include <kindling/vision/learner.hpp>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace kindling {

TEST(VisionModel, IsItsHeadOfItsFeatures) {
  for (const char* arch : {"resnet18", "squeezenet1_1", "efficientnet_lite0"}) {
    torch::manual_seed(0);
    const Model model = create_vision_model(arch, 3);
    model.module().eval();
    const torch::NoGradGuard no_grad;
    const auto x = torch::randn({2, 3, 64, 64});
    const auto features = model.features({x});
    EXPECT_EQ(features.sizes(), (std::vector<std::int64_t>{2, 2 * create_model(arch)->num_features()})) << arch;
    EXPECT_TRUE(torch::equal(model.head({features}), model.forward({x}))) << arch;
  }
}

TEST(VisionModel, WithoutPoolingHasNoParts) {
  const Model model = create_vision_model("squeezenet1_1", 3, 3, {.pool = false});
  EXPECT_FALSE(model.features);
  EXPECT_FALSE(model.head);
}

}  // namespace kindling
