#pragma once
/// The inner loops of batch augmentation, compiled for several instruction sets and chosen at run time.

#include <kindling/vision/cut.hpp>

#include <cstddef>

namespace kindling::detail {

/// Places in the source of one row of the result, in pixels: of column i (x + dx·i) / (q + dq·i), likewise y.
struct RowMap {
  float x = 0, dx = 0, y = 0, dy = 0, q = 1, dq = 0;
  bool projective = false;  ///< else q is 1 everywhere
};

/// What becomes of places outside of one axis of the source.
struct Axis {
  int size = 0;
  PadMode pad_mode = PadMode::reflection;
  float mirror = 0;  ///< where the first mirror stands
  float span = 0;    ///< distance of the mirrors
};

/// Buffers of places must have room for so many more than the row has.
constexpr std::size_t places_slack = 64;

/// Places of `count` columns. With zeros they are at most one pixel outside, else within the source.
void row_places(const RowMap& map, int count, const Axis& across, const Axis& down, float* xs, float* ys);

/// Interleaved pixels in rows that lie `row_stride` floats apart.
struct Source {
  const float* pixels = nullptr;
  const float* end = nullptr;  ///< of memory that may be read
  std::ptrdiff_t row_stride = 0;
  int width = 0, height = 0;
};

/// Bilinear at places within the source, three channels.
void sample_row_rgb(const Source& source, const float* xs, const float* ys, int count, float* out);

/// sigmoid(scale · logit(x) + shift) of `n` values.
void light_values(const float* x, std::size_t n, float scale, float shift, float* out);

/// Of pixels of three channels: sigmoid(mix · logits + shift), `mix` row by row.
struct ChannelMix {
  float mix[9];
  float shift[3];
};
void light_pixels(const float* x, std::size_t pixels, const ChannelMix& by, float* out);

}  // namespace kindling::detail
