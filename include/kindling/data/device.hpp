#pragma once
/// Where batches go and models train.

#include <torch/types.h>

namespace kindling {

/// "cuda" where this LibTorch can use a CUDA device, else "cpu" (fastai `default_device`). An empty CUDA_VISIBLE_DEVICES in
/// the environment makes it the CPU.
torch::Device default_device();

}  // namespace kindling
