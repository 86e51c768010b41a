#include <kindling/train/mixed_precision.hpp>

#include "train/tiny_learner.hpp"

#include <gtest/gtest.h>
#include <torch/cuda.h>

namespace kindling {

using namespace testing;

TEST(MixedPrecisionGpu, Float16TrainsWithAScaledLoss) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "there is no CUDA device";
  auto pipeline = std::make_shared<Pipeline>(Pipeline{.blocks = {{}, {}}, .target = TargetKind::category});
  const DataLoader train(class_pairs(64, 1), pipeline,
                         {.bs = 16, .shuffle = true, .drop_last = true, .split = Split::train, .device = torch::kCUDA});
  const DataLoader valid(class_pairs(16, 2), pipeline, {.bs = 16, .device = torch::kCUDA});
  Learner learn(DataLoaders(train, valid), tiny_net(), quietly());
  learn.to_fp16({.init_scale = 1024});
  learn.fit(20, 0.01);
  EXPECT_LT(learn.recorder().losses.back(), learn.recorder().losses.front());
  EXPECT_EQ(learn.get_preds().preds.scalar_type(), torch::kFloat32);
}

}  // namespace kindling
