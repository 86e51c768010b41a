#pragma once
/// The dot product model as one operation on the CPU: a batch of 64 in microseconds, where a chain of torch's
/// operations with their graph takes longer to set up than to compute.

#include <optional>
#include <utility>

#include <torch/types.h>

namespace kindling::detail {

/// Tables of factors and biases, float32 and contiguous.
struct DotBiasTables {
  const torch::Tensor &user_factors, &item_factors, &user_bias, &item_bias;
};

/// Codes N x 2, int64, to N. Throws `bad_data` for a code that is outside of its table.
torch::Tensor dot_bias(const torch::Tensor& codes, const DotBiasTables& tables,
                       const std::optional<std::pair<double, double>>& y_range);

}  // namespace kindling::detail
