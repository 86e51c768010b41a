#include "nn/channel_kernels.hpp"

#include <algorithm>
#include <memory>

// Each loop is compiled twice, for the base instruction set and for AVX2, and picked when the program runs.
#if defined(__x86_64__)
#define KINDLING_AVX2 __attribute__((target("avx2,fma")))
#else
#define KINDLING_AVX2
#endif
#define KINDLING_INLINE __attribute__((always_inline))

namespace kindling::detail {
namespace {

// Rows summed in float before the sums move to double: few enough that rounding stays near float's own.
constexpr std::int64_t rows_per_block = 64;

template <class Loop>
KINDLING_AVX2 void run_avx2(const Loop& loop) {
  loop();
}

template <class Loop>
void run(const Loop& loop) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2) return run_avx2(loop);
#endif
  loop();
}

// Calls `add_row(row, a, b)`, which adds one row to float sums `a` and `b`, for every row; the sums of each
// block of rows move to the double ones.
template <class AddRow>
KINDLING_INLINE inline void sum_blocks(std::int64_t begin, std::int64_t end, std::int64_t channels,
                                       double* first, double* second, float* scratch, const AddRow& add_row) {
  for (std::int64_t block = begin; block < end; block += rows_per_block) {
    std::fill_n(scratch, 2 * channels, 0.0f);
    const std::int64_t stop = std::min(block + rows_per_block, end);
    for (std::int64_t row = block; row < stop; ++row) add_row(row, scratch, scratch + channels);
    for (std::int64_t c = 0; c < channels; ++c) {
      first[c] += scratch[c];
      second[c] += scratch[channels + c];
    }
  }
}

}  // namespace

void centred_sums(const float* x, const float* shift, std::int64_t begin, std::int64_t end,
                  std::int64_t channels, double* sum, double* sum_sq) {
  const auto scratch = std::make_unique<float[]>(static_cast<std::size_t>(2 * channels));
  const auto add_row = [=](std::int64_t row, float* __restrict a, float* __restrict b) KINDLING_INLINE {
    const float* __restrict in = x + row * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const float d = in[c] - shift[c];
      a[c] += d;
      b[c] += d * d;
    }
  };
  run([&]() KINDLING_INLINE { sum_blocks(begin, end, channels, sum, sum_sq, scratch.get(), add_row); });
}

void scale_clamp(const float* x, const float* scale, const float* offset, float low, float high,
                 std::int64_t begin, std::int64_t end, std::int64_t channels, float* y) {
  run([=]() KINDLING_INLINE {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* __restrict in = x + row * channels;
      float* __restrict out = y + row * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        const float v = in[c] * scale[c] + offset[c];
        const float above = v < low ? low : v;  // keeps NaN, which std::max would hide
        out[c] = above > high ? high : above;
      }
    }
  });
}

// The gradient where the clamp was open. Both conditions are evaluated, since a branch would keep the loop
// from being vectorised; NaN counts as open.
KINDLING_INLINE inline float open_gradient(float y, float low, float high, float gradient) {
  return static_cast<int>(y <= low) | static_cast<int>(y >= high) ? 0.0f : gradient;
}

void gradient_sums(const float* grad, const ForwardFacts& forward, std::int64_t begin, std::int64_t end,
                   std::int64_t channels, double* sum, double* dot) {
  const auto scratch = std::make_unique<float[]>(static_cast<std::size_t>(2 * channels));
  const ForwardFacts f = forward;
  const auto add_row = [=](std::int64_t row, float* __restrict a, float* __restrict b) KINDLING_INLINE {
    const float* __restrict in = f.x + row * channels;
    const float* __restrict g = grad + row * channels;
    const float* __restrict scale = f.scale, * __restrict offset = f.offset, * __restrict mean = f.mean;
    const float low = f.low, high = f.high;
    for (std::int64_t c = 0; c < channels; ++c) {
      const float open = open_gradient(in[c] * scale[c] + offset[c], low, high, g[c]);
      a[c] += open;
      b[c] += open * (in[c] - mean[c]);
    }
  };
  run([&]() KINDLING_INLINE { sum_blocks(begin, end, channels, sum, dot, scratch.get(), add_row); });
}

void input_gradient(const float* grad, const ForwardFacts& forward, const float* constant, const float* slope,
                    std::int64_t begin, std::int64_t end, std::int64_t channels, float* dx) {
  const ForwardFacts f = forward;
  run([=]() KINDLING_INLINE {
    const float* __restrict scale = f.scale, * __restrict offset = f.offset, * __restrict mean = f.mean;
    const float* __restrict shift = constant, * __restrict tilt = slope;
    for (std::int64_t row = begin; row < end; ++row) {
      const float* __restrict in = f.x + row * channels;
      const float* __restrict g = grad + row * channels;
      float* __restrict out = dx + row * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        const float open = open_gradient(in[c] * scale[c] + offset[c], f.low, f.high, g[c]);
        out[c] = open * scale[c] - shift[c] - (in[c] - mean[c]) * tilt[c];
      }
    }
  });
}

}  // namespace kindling::detail
