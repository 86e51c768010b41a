#include "vision/sampling.hpp"

#include "nn/parallel_for.hpp"
#include "vision/augment_kernels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <torch/types.h>

namespace kindling::detail {

namespace {

/// Pixels of the result that are worth a thread.
constexpr std::int64_t grain_pixels = 8192;

/// Takes pixels of the result to [-1, 1] …
Matrix3 from_pixels(Size to, bool align_corners) {
  const auto axis = [&](int n) -> std::array<double, 2> {
    if (!align_corners) return {2.0 / n, 1.0 / n - 1};
    return n == 1 ? std::array<double, 2>{0, 0} : std::array<double, 2>{2.0 / (n - 1), -1};
  };
  const auto x = axis(to.width), y = axis(to.height);
  return {x[0], 0, x[1], 0, y[0], y[1], 0, 0, 1};
}

/// … and [-1, 1] to pixels of the source.
Matrix3 to_pixels(int width, int height, bool align_corners) {
  const auto axis = [&](double n) -> std::array<double, 2> {
    return align_corners ? std::array<double, 2>{(n - 1) / 2, (n - 1) / 2} : std::array<double, 2>{n / 2, (n - 1) / 2};
  };
  const auto x = axis(width), y = axis(height);
  return {x[0], 0, x[1], 0, y[0], y[1], 0, 0, 1};
}

Axis axis_of(std::int64_t size, const Sampling& sampling) {
  Axis axis{.size = static_cast<int>(size), .pad_mode = sampling.pad_mode};
  axis.mirror = sampling.align_corners ? 0.0f : -0.5f;
  axis.span = static_cast<float>(sampling.align_corners ? size - 1 : size);
  return axis;
}

RowMap row_of(const Matrix3& m, int row) {
  const auto at = [&](int k) { return static_cast<float>(m[k + 1] * row + m[k + 2]); };
  return {.x = at(0),
          .dx = static_cast<float>(m[0]),
          .y = at(3),
          .dy = static_cast<float>(m[3]),
          .q = at(6),
          .dq = static_cast<float>(m[6]),
          .projective = m[6] != 0 || m[7] != 0};
}

/// For each row of the results the places of its pixels in image `i` of the source: `row(i, y, xs, ys)`.
template <class Row>
void over_rows(const std::vector<Matrix3>& maps, Size from, const Sampling& sampling, const Row& row) {
  const Axis across = axis_of(from.width, sampling), down = axis_of(from.height, sampling);
  const int width = sampling.to.width, height = sampling.to.height;
  std::vector<Matrix3> in_pixels;
  for (const Matrix3& map : maps) {
    in_pixels.push_back(multiply(to_pixels(from.width, from.height, sampling.align_corners),
                                 multiply(map, from_pixels(sampling.to, sampling.align_corners))));
    for (double& value : in_pixels.back()) value /= map[8];
  }
  const auto rows = static_cast<std::int64_t>(maps.size()) * height;
  detail::parallel_for(0, rows, std::max<std::int64_t>(1, grain_pixels / width), [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> xs(width + places_slack), ys(width + places_slack);
    for (std::int64_t r = begin; r < end; ++r) {
      const auto image = r / height;
      const int y = static_cast<int>(r % height);
      row_places(row_of(in_pixels[image], y), width, across, down, xs.data(), ys.data());
      row(image, y, xs.data(), ys.data());
    }
  });
}

/// Any number of channels, and zeros outside.
void sample_row(const Source& source, int channels, const float* xs, const float* ys, int count, float* out) {
  const auto pixel = [&](int x, int y) -> const float* {
    const bool inside = x >= 0 && y >= 0 && x < source.width && y < source.height;
    return inside ? source.pixels + y * source.row_stride + static_cast<std::ptrdiff_t>(x) * channels : nullptr;
  };
  for (int i = 0; i < count; ++i, out += channels) {
    const float left = std::floor(xs[i]), top = std::floor(ys[i]);
    const float wx = xs[i] - left, wy = ys[i] - top;
    const int x = static_cast<int>(left), y = static_cast<int>(top);
    const float* corners[4] = {pixel(x, y), pixel(x + 1, y), pixel(x, y + 1), pixel(x + 1, y + 1)};
    const float weights[4] = {(1 - wx) * (1 - wy), wx * (1 - wy), (1 - wx) * wy, wx * wy};
    std::fill_n(out, channels, 0.0f);
    for (int k = 0; k < 4; ++k) {
      if (!corners[k]) continue;
      for (int c = 0; c < channels; ++c) out[c] += weights[k] * corners[k][c];
    }
  }
}

/// Rows of `channels` values a pixel, zeros outside.
template <class T>
void nearest_row(const T* pixels, std::ptrdiff_t row_stride, Size size, int channels, const float* xs,
                 const float* ys, int count, T* out) {
  for (int i = 0; i < count; ++i, out += channels) {
    // Halves to even, as torch's.
    const int x = static_cast<int>(std::nearbyint(xs[i])), y = static_cast<int>(std::nearbyint(ys[i]));
    if (x < 0 || y < 0 || x >= size.width || y >= size.height) {
      std::fill_n(out, channels, T{});
    } else {
      std::copy_n(pixels + y * row_stride + static_cast<std::ptrdiff_t>(x) * channels, channels, out);
    }
  }
}

/// Interleaved pixels, whose rows and images may lie apart (a crop of a batch).
torch::Tensor interleaved(const torch::Tensor& images) {
  const bool is = (images.size(1) == 1 || images.stride(1) == 1) && images.stride(3) == images.size(1);
  return is ? images : images.contiguous(torch::MemoryFormat::ChannelsLast);
}

template <class T>
torch::Tensor masks_of(const torch::Tensor& masks, const std::vector<Matrix3>& maps, const Sampling& sampling) {
  const auto source = masks.contiguous();
  const Size from{static_cast<int>(source.size(2)), static_cast<int>(source.size(1))};
  const Size to = sampling.to;
  auto out = torch::empty({source.size(0), to.height, to.width}, source.options());
  const T* pixels = source.const_data_ptr<T>();
  T* results = out.data_ptr<T>();
  over_rows(maps, from, sampling, [&](std::int64_t image, int y, const float* xs, const float* ys) {
    nearest_row(pixels + image * source.stride(0), from.width, from, 1, xs, ys, to.width,
                results + (image * to.height + y) * to.width);
  });
  return out;
}

}  // namespace

torch::Tensor sample_by_kernel(const torch::Tensor& images, const std::vector<Matrix3>& maps,
                               const Sampling& sampling) {
  const auto x = interleaved(images);
  const int channels = static_cast<int>(x.size(1));
  const Size from{static_cast<int>(x.size(3)), static_cast<int>(x.size(2))}, to = sampling.to;
  auto out = torch::empty({x.size(0), channels, to.height, to.width},
                          x.options().memory_format(torch::MemoryFormat::ChannelsLast));
  const auto* first = x.const_data_ptr<float>();
  auto* results = out.data_ptr<float>();
  const float* end = first + (x.size(0) - 1) * x.stride(0) + (from.height - 1) * x.stride(2) +
                     static_cast<std::ptrdiff_t>(from.width) * channels;
  const bool fast = channels == 3 && sampling.mode == Interpolation::bilinear && sampling.pad_mode != PadMode::zeros;
  over_rows(maps, from, sampling, [&](std::int64_t image, int y, const float* xs, const float* ys) {
    const Source source{first + image * x.stride(0), end, x.stride(2), from.width, from.height};
    float* row = results + (image * to.height + y) * to.width * channels;
    if (fast)
      sample_row_rgb(source, xs, ys, to.width, row);
    else if (sampling.mode == Interpolation::nearest)
      nearest_row(source.pixels, source.row_stride, from, channels, xs, ys, to.width, row);
    else
      sample_row(source, channels, xs, ys, to.width, row);
  });
  return out;
}

torch::Tensor sample_masks_by_kernel(const torch::Tensor& masks, const std::vector<Matrix3>& maps,
                                     const Sampling& sampling) {
  return masks.scalar_type() == torch::kUInt8 ? masks_of<std::uint8_t>(masks, maps, sampling)
                                              : masks_of<std::int64_t>(masks, maps, sampling);
}

}  // namespace kindling::detail
