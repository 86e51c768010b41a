// Batch transforms on a CUDA device.
#include <kindling/data/normalize.hpp>
#include <kindling/vision.hpp>
#include <kindling/vision/auto_augment.hpp>
#include <kindling/vision/erasing.hpp>

#include "on_gpu.hpp"
#include "vision/drawn_picture.hpp"

#include <gtest/gtest.h>

namespace kindling {

using namespace testing;

namespace {

torch::Tensor transformed(const Transforms& tfms, const torch::Tensor& batch, torch::Device device) {
  Pipeline pipeline{.blocks = {{}}, .batch_tfms = tfms};
  const ItemContext context{.split = Split::train, .seed = 5, .epoch = 1, .item = 3};
  const Values values = pipeline.encode_batch({TensorImage{batch.clone()}}, context, device);
  return std::get<TensorImage>(values[0]).tensor;
}

}  // namespace

using BatchTransformsGpu = testing::OnGpu;

TEST_F(BatchTransformsGpu, EqualThoseOfTheCpu) {
  const auto batch = drawn_batch(8, 3, 64, 48);
  const std::vector<std::pair<const char*, Transforms>> all{
      {"aug_transforms", aug_transforms({.max_rotate = 30})},
      {"with a size", aug_transforms({.size = Size{40, 40}, .min_scale = 0.5})},
      {"hue and saturation", {Hue(), Saturation()}},
      {"erasing", {RandomErasing({.p = 1})}},
      {"normalize", {Normalize(imagenet_stats)}},
  };
  for (const auto& [name, tfms] : all) {
    const auto here = transformed(tfms, batch, torch::kCPU), there = transformed(tfms, batch, torch::kCUDA);
    ASSERT_TRUE(there.is_cuda()) << name;
    ASSERT_EQ(here.sizes(), there.sizes()) << name;
    EXPECT_LT(difference(here, there.cpu()), 2e-4) << name;
  }
}

}  // namespace kindling
