#pragma once
/// Optimizer formulas of many elementwise operations that go through memory once.

#include <functional>
#include <vector>

#include <torch/types.h>

namespace kindling::detail {

/// Gives the same block of each tensor of a list that lies as the one it was made for.
using BlockOf = std::function<std::vector<torch::Tensor>(const std::vector<torch::Tensor>&)>;

/// Runs an elementwise `formula` over parameters and all that lies in memory as they do. On the CPU it gets a block at a
/// time, on torch's threads, so that all its operations but the first find their numbers in the cache; elsewhere whole
/// lists, for which there are foreach kernels.
void by_blocks(const std::vector<torch::Tensor>& params, const std::function<void(const BlockOf&)>& formula);

/// Euclidean norms of all tensors as one, on their device: nothing waits for them. The number of threads does not change
/// them.
torch::Tensor norms(const std::vector<torch::Tensor>& tensors);

}  // namespace kindling::detail
