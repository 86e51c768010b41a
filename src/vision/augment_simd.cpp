// Compiled once an instruction set: Highway includes this file again for each.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vision/augment_simd.cpp"
#include <hwy/foreach_target.h>
//
#include "vision/augment_kernels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kindling::detail::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

HWY_INLINE V clamped(V at, float low, float high) {
  const D d;
  return hn::Min(hn::Max(at, hn::Set(d, low)), hn::Set(d, high));
}

/// Between two mirrors, as torch's `reflect_coordinates`.
HWY_INLINE V mirrored(V at, const Axis& axis) {
  const D d;
  const V span = hn::Set(d, axis.span), mirror = hn::Set(d, axis.mirror);
  const V distance = hn::Abs(hn::Sub(at, mirror));
  const V turns = hn::Floor(hn::Mul(distance, hn::Set(d, 1 / axis.span)));
  const V rest = hn::NegMulAdd(turns, span, distance);
  const V half = hn::Mul(turns, hn::Set(d, 0.5f));
  const auto backwards = hn::Ne(half, hn::Floor(half));
  return hn::Add(hn::IfThenElse(backwards, hn::Sub(span, rest), rest), mirror);
}

HWY_INLINE V inside(V at, const Axis& axis) {
  const auto last = static_cast<float>(axis.size - 1);
  if (axis.pad_mode == PadMode::zeros) return clamped(at, -1, last + 1);
  if (axis.pad_mode == PadMode::reflection && axis.span > 0) at = mirrored(at, axis);
  return clamped(at, 0, last);
}

void row_places(const RowMap& map, int count, const Axis& across, const Axis& down, float* xs, float* ys) {
  const D d;
  const auto lanes = static_cast<int>(hn::Lanes(d));
  for (int i = 0; i < count; i += lanes) {
    const V column = hn::Iota(d, static_cast<float>(i));
    V x = hn::MulAdd(column, hn::Set(d, map.dx), hn::Set(d, map.x));
    V y = hn::MulAdd(column, hn::Set(d, map.dy), hn::Set(d, map.y));
    if (map.projective) {
      const V q = hn::MulAdd(column, hn::Set(d, map.dq), hn::Set(d, map.q));
      x = hn::Div(x, q);
      y = hn::Div(y, q);
    }
    hn::StoreU(inside(x, across), d, xs + i);
    hn::StoreU(inside(y, down), d, ys + i);
  }
}

/// A pixel with one float more.
typedef float Pixel __attribute__((vector_size(16)));

/// `last`: there is no fourth float to read.
template <bool last>
HWY_INLINE Pixel load_pixel(const float* from) {
  if constexpr (last) return Pixel{from[0], from[1], from[2], 0};
  Pixel pixel;
  std::memcpy(&pixel, from, sizeof pixel);
  return pixel;
}

template <bool last>
HWY_INLINE Pixel blended(const float* corner, int right, std::ptrdiff_t below, float wx, float wy) {
  const Pixel weight_x = {wx, wx, wx, wx}, weight_y = {wy, wy, wy, wy};
  const Pixel a = load_pixel<last>(corner), b = load_pixel<last>(corner + right);
  const Pixel c = load_pixel<last>(corner + below), d = load_pixel<last>(corner + below + right);
  const Pixel upper = a + weight_x * (b - a), lower = c + weight_x * (d - c);
  return upper + weight_y * (lower - upper);
}

void sample_row_rgb(const Source& source, const float* xs, const float* ys, int count, float* out) {
  for (int i = 0; i < count; ++i, out += 3) {
    const int x = static_cast<int>(xs[i]), y = static_cast<int>(ys[i]);
    const float wx = xs[i] - static_cast<float>(x), wy = ys[i] - static_cast<float>(y);
    const float* corner = source.pixels + y * source.row_stride + x * 3;
    const int right = x + 1 < source.width ? 3 : 0;
    const std::ptrdiff_t below = y + 1 < source.height ? source.row_stride : 0;
    const bool room = source.end - (corner + below + right) >= 4;
    const Pixel pixel = room ? blended<false>(corner, right, below, wx, wy)
                             : blended<true>(corner, right, below, wx, wy);
    // The fourth float is overwritten by the next pixel; behind the last one it may be another thread's.
    std::memcpy(out, &pixel, i + 1 < count ? 4 * sizeof(float) : 3 * sizeof(float));
  }
}

/// 1 / x - 1, where exp(-logit(x)) is that, x kept off 0 and 1 as fastai does.
HWY_INLINE V odds_against(V x) {
  const D d;
  const V one = hn::Set(d, 1.0f);
  return hn::Sub(hn::Div(one, clamped(x, 1e-7f, 1 - 1e-7f)), one);
}

HWY_INLINE V from_odds_against(V odds) {
  const V one = hn::Set(D(), 1.0f);
  return hn::Div(one, hn::Add(one, odds));
}

/// `step` on whole registers of `width` values a lane; the rest through a buffer.
template <std::size_t width, class Step>
HWY_INLINE void over_registers(const float* x, std::size_t n, float* out, const Step& step) {
  const std::size_t each = hn::Lanes(D());
  std::size_t i = 0;
  for (; i + each <= n; i += each) step(x + i * width, out + i * width);
  if (i == n) return;
  HWY_ALIGN float buffer[width * hn::MaxLanes(D())];
  std::fill_n(buffer, width * each, 0.5f);
  std::memcpy(buffer, x + i * width, (n - i) * width * sizeof(float));
  step(buffer, buffer);
  std::memcpy(out + i * width, buffer, (n - i) * width * sizeof(float));
}

void light_values(const float* x, std::size_t n, float scale, float shift, float* out) {
  const D d;
  if (scale == 1) {
    // No power: the odds are multiplied.
    const V factor = hn::Set(d, std::exp(-shift));
    over_registers<1>(x, n, out, [&](const float* from, float* to) HWY_ATTR {
      hn::StoreU(from_odds_against(hn::Mul(odds_against(hn::LoadU(d, from)), factor)), d, to);
    });
    return;
  }
  const V by = hn::Set(d, scale), less = hn::Set(d, shift);
  over_registers<1>(x, n, out, [&](const float* from, float* to) HWY_ATTR {
    const V power = hn::MulSub(hn::Log(d, odds_against(hn::LoadU(d, from))), by, less);
    hn::StoreU(from_odds_against(hn::Exp(d, power)), d, to);
  });
}

/// exp(-v), v one channel of the mix; the arguments are logarithms of odds against.
HWY_INLINE V mixed(const ChannelMix& by, int channel, V r, V g, V b) {
  const D d;
  const float* mix = by.mix + 3 * channel;
  V sum = hn::MulSub(r, hn::Set(d, mix[0]), hn::Set(d, by.shift[channel]));
  sum = hn::MulAdd(g, hn::Set(d, mix[1]), sum);
  sum = hn::MulAdd(b, hn::Set(d, mix[2]), sum);
  return from_odds_against(hn::Exp(d, sum));
}

void light_pixels(const float* x, std::size_t pixels, const ChannelMix& by, float* out) {
  const D d;
  over_registers<3>(x, pixels, out, [&](const float* from, float* to) HWY_ATTR {
    V r, g, b;
    hn::LoadInterleaved3(d, from, r, g, b);
    r = hn::Log(d, odds_against(r));
    g = hn::Log(d, odds_against(g));
    b = hn::Log(d, odds_against(b));
    hn::StoreInterleaved3(mixed(by, 0, r, g, b), mixed(by, 1, r, g, b), mixed(by, 2, r, g, b), d, to);
  });
}

}  // namespace kindling::detail::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kindling::detail {

HWY_EXPORT(row_places);
HWY_EXPORT(sample_row_rgb);
HWY_EXPORT(light_values);
HWY_EXPORT(light_pixels);

void row_places(const RowMap& map, int count, const Axis& across, const Axis& down, float* xs, float* ys) {
  HWY_DYNAMIC_DISPATCH(row_places)(map, count, across, down, xs, ys);
}

void sample_row_rgb(const Source& source, const float* xs, const float* ys, int count, float* out) {
  HWY_DYNAMIC_DISPATCH(sample_row_rgb)(source, xs, ys, count, out);
}

void light_values(const float* x, std::size_t n, float scale, float shift, float* out) {
  HWY_DYNAMIC_DISPATCH(light_values)(x, n, scale, shift, out);
}

void light_pixels(const float* x, std::size_t pixels, const ChannelMix& by, float* out) {
  HWY_DYNAMIC_DISPATCH(light_pixels)(x, pixels, by, out);
}

}  // namespace kindling::detail
#endif
