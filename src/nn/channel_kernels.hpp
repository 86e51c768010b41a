#pragma once
// The loops under `batch_norm_act`: float matrices of `rows` positions by `channels`, one row after the
// other, which is how a channels-last image batch lies in memory.

#include <cstdint>

namespace kindling::detail {

/// Sums over rows [begin, end): of x - shift, and of its square, added to `sum` and `sum_sq` [channels].
void centred_sums(const float* x, const float* shift, std::int64_t begin, std::int64_t end,
                  std::int64_t channels, double* sum, double* sum_sq);

/// y = clamp(x * scale + offset, low, high).
void scale_clamp(const float* x, const float* scale, const float* offset, float low, float high,
                 std::int64_t begin, std::int64_t end, std::int64_t channels, float* y);

/// What a gradient must know of the forward pass: y = clamp(x * scale + offset, low, high), x centred on
/// `mean`.
struct ForwardFacts {
  const float* x;
  const float* scale;
  const float* offset;
  const float* mean;
  float low, high;
};

/// With g the gradient where the clamp was open: sums of g and of g * (x - mean), added to `sum` and `dot`.
void gradient_sums(const float* grad, const ForwardFacts& forward, std::int64_t begin, std::int64_t end,
                   std::int64_t channels, double* sum, double* dot);

/// dx = g * scale - constant - (x - mean) * slope.
void input_gradient(const float* grad, const ForwardFacts& forward, const float* constant, const float* slope,
                    std::int64_t begin, std::int64_t end, std::int64_t channels, float* dx);

}  // namespace kindling::detail
