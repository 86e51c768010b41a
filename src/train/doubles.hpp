#pragma once
/// Numbers of a tensor for arithmetic in double precision.

#include <limits>
#include <vector>

#include <torch/types.h>

namespace kindling::detail {

inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

inline std::vector<double> doubles(const torch::Tensor& t) {
  const torch::Tensor flat = t.to(torch::kFloat64).contiguous();
  const double* data = flat.const_data_ptr<double>();
  return {data, data + flat.numel()};
}

}  // namespace kindling::detail
