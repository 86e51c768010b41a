#pragma once
/// For tests that need a CUDA device.

#include <gtest/gtest.h>
#include <torch/cuda.h>

namespace kindling::testing {

struct OnGpu : ::testing::Test {
  void SetUp() override {
    if (!torch::cuda::is_available()) GTEST_SKIP() << "there is no CUDA device";
  }
};

}  // namespace kindling::testing
