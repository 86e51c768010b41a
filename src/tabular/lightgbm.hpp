#pragma once
/// LightGBM as a baseline, through its C API, where its library is installed.

#include <cstdint>
#include <optional>

#include <torch/types.h>

namespace kindling::detail {

struct TreeTask {
  std::int64_t n_categorical = 0;  ///< the first columns are codes
  std::int64_t classes = 0;        ///< 0: a number
  std::uint64_t seed = 42;
};

/// What 100 trees of LightGBM's defaults say of the rows of `valid`: N x classes probabilities, or N numbers. `x` and `y` are
/// float32. Nothing where the library (`lib_lightgbm.so`, or the file that KINDLING_LIGHTGBM names) is not there, or fails.
std::optional<torch::Tensor> lightgbm_predictions(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& valid,
                                                  const TreeTask& task);

}  // namespace kindling::detail
