// Compiled once an instruction set: Highway includes this file again for each.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vision/resample_simd.cpp"
#include <hwy/foreach_target.h>
//
#include "vision/resample_kernels.hpp"

#include <cstring>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kindling::detail::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
// Processors without vectors, and the plain statement of what the vector code below computes.

std::int32_t weight(std::int16_t high, std::int16_t low) {
  return high * (1 << low_bits) + low;
}

std::uint8_t rounded(std::int32_t sum) {
  const std::int32_t value = (sum + (1 << (weight_bits - 1))) >> weight_bits;
  return static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

template <int channels>
void rows(const std::uint8_t* const* in, std::uint8_t* const* out, const Taps& taps) {
  for (std::size_t x = 0; x < taps.first.size(); ++x) {
    const std::size_t weights = x * taps.padded;
    for (int row = 0; row < row_group; ++row) {
      for (int channel = 0; channel < channels; ++channel) {
        const std::uint8_t* pixel = in[row] + static_cast<std::size_t>(taps.first[x]) * channels + channel;
        std::int32_t sum = 0;
        for (int tap = 0; tap < taps.count[x]; ++tap, pixel += channels) {
          sum += weight(taps.high[weights + tap], taps.low[weights + tap]) * *pixel;
        }
        out[row][x * channels + channel] = rounded(sum);
      }
    }
  }
}

void rgb_rows(const std::uint8_t* const* in, std::uint8_t* const* out, const Taps& taps) {
  rows<3>(in, out, taps);
}

void grey_rows(const std::uint8_t* const* in, std::uint8_t* const* out, const Taps& taps) {
  rows<1>(in, out, taps);
}

void column(const std::uint8_t* const* in, const std::int16_t* high, const std::int16_t* low, int count,
            std::size_t bytes, std::uint8_t* out) {
  for (std::size_t x = 0; x < bytes; ++x) {
    std::int32_t sum = 0;
    for (int tap = 0; tap < count; ++tap) sum += weight(high[tap], low[tap]) * in[tap][x];
    out[x] = rounded(sum);
  }
}

#else
namespace hn = hwy::HWY_NAMESPACE;

// One or two blocks of 128 bits; wider registers gain nothing here, for an RGB row fills a block a step.
using D8 = hn::CappedTag<std::uint8_t, 32>;
using D16 = hn::Repartition<std::int16_t, D8>;
using D32 = hn::Repartition<std::int32_t, D8>;
using V8 = hn::Vec<D8>;
using V16 = hn::Vec<D16>;
using V32 = hn::Vec<D32>;
constexpr int blocks = static_cast<int>(hn::MaxLanes(D8()) / 16);

/// Weighted sums of pairs of 16-bit numbers, a 32-bit lane a pair.
struct PairSums {
  V32 high_sum, high_rest, low_sum, low_rest;

  HWY_INLINE void add(V16 pixels, V16 high, V16 low) {
    const D32 d32;
    high_sum = hn::ReorderWidenMulAccumulate(d32, pixels, high, high_sum, high_rest);
    low_sum = hn::ReorderWidenMulAccumulate(d32, pixels, low, low_sum, low_rest);
  }
  /// High and low parts together, not rounded.
  HWY_INLINE V32 total() const {
    return hn::Add(hn::ShiftLeft<low_bits>(hn::RearrangeToOddPlusEven(high_sum, high_rest)),
                   hn::RearrangeToOddPlusEven(low_sum, low_rest));
  }
  HWY_INLINE V32 rounded() const {
    return hn::ShiftRight<weight_bits>(hn::Add(total(), hn::Set(D32(), 1 << (weight_bits - 1))));
  }
};

// A constructor would not be compiled for the instruction set that the registers belong to.
HWY_INLINE PairSums no_sums() {
  const V32 zero = hn::Zero(D32());
  return {zero, zero, zero, zero};
}

/// Two weights for each pair of lanes.
HWY_INLINE V16 weight_pair(const std::int16_t* weights) {
  std::int32_t pair = 0;
  std::memcpy(&pair, weights, sizeof pair);
  return hn::BitCast(D16(), hn::Set(D32(), pair));
}

/// 16 bytes of each of `blocks` rows.
HWY_INLINE V8 load_rows(const std::uint8_t* const* rows, std::size_t at) {
  if constexpr (blocks == 2) {
    const hn::Half<D8> d_half;
    return hn::Combine(D8(), hn::LoadU(d_half, rows[1] + at), hn::LoadU(d_half, rows[0] + at));
  } else {
    return hn::LoadU(D8(), rows[0] + at);
  }
}

/// From 4 RGB pixels, two of them as 16-bit pairs: r r, g g, b b, 0 0. 0x80 gives a zero byte.
alignas(16) constexpr std::uint8_t first_pair[16] = {0, 128, 3, 128, 1,   128, 4,   128,
                                                     2, 128, 5, 128, 128, 128, 128, 128};
alignas(16) constexpr std::uint8_t second_pair[16] = {6, 128, 9,  128, 7,   128, 10,  128,
                                                      8, 128, 11, 128, 128, 128, 128, 128};

HWY_INLINE void store_pixels(V32 pixels, std::uint8_t* const* rows, std::size_t at) {
  const hn::Rebind<std::uint8_t, D32> d_bytes;
  std::uint8_t packed[4 * blocks];
  hn::StoreU(hn::DemoteTo(d_bytes, pixels), d_bytes, packed);
  for (int i = 0; i < blocks; ++i) std::memcpy(rows[i] + at, packed + 4 * i, 4);
}

void rgb_rows(const std::uint8_t* const* in, std::uint8_t* const* out, const Taps& taps) {
  constexpr int vectors = row_group / blocks;
  static_assert(vectors == 2 || vectors == 4);
  const V8 first_two = hn::LoadDup128(D8(), first_pair);
  const V8 last_two = hn::LoadDup128(D8(), second_pair);
  const D16 d16;
  const auto outputs = static_cast<int>(taps.first.size());
  for (int x = 0; x < outputs; ++x) {
    const std::int16_t* high = taps.high.data() + static_cast<std::size_t>(x) * taps.padded;
    const std::int16_t* low = taps.low.data() + static_cast<std::size_t>(x) * taps.padded;
    std::size_t at = static_cast<std::size_t>(taps.first[x]) * 3;
    PairSums a = no_sums(), b = no_sums(), c = no_sums(), d = no_sums();
    const auto step = [&](PairSums& sums, int row, V16 high_0, V16 low_0, V16 high_2, V16 low_2) HWY_ATTR {
      const V8 pixels = load_rows(in + row * blocks, at);
      sums.add(hn::BitCast(d16, hn::TableLookupBytesOr0(pixels, first_two)), high_0, low_0);
      sums.add(hn::BitCast(d16, hn::TableLookupBytesOr0(pixels, last_two)), high_2, low_2);
    };
    for (int tap = 0; tap < taps.count[x]; tap += 4, at += 12) {
      const V16 high_0 = weight_pair(high + tap), low_0 = weight_pair(low + tap);
      const V16 high_2 = weight_pair(high + tap + 2), low_2 = weight_pair(low + tap + 2);
      step(a, 0, high_0, low_0, high_2, low_2);
      step(b, 1, high_0, low_0, high_2, low_2);
      if constexpr (vectors == 4) {
        step(c, 2, high_0, low_0, high_2, low_2);
        step(d, 3, high_0, low_0, high_2, low_2);
      }
    }
    const std::size_t to = static_cast<std::size_t>(x) * 3;
    store_pixels(a.rounded(), out, to);
    store_pixels(b.rounded(), out + blocks, to);
    if constexpr (vectors == 4) {
      store_pixels(c.rounded(), out + 2 * blocks, to);
      store_pixels(d.rounded(), out + 3 * blocks, to);
    }
  }
}

void grey_rows(const std::uint8_t* const* in, std::uint8_t* const* out, const Taps& taps) {
  const hn::FixedTag<std::int16_t, tap_group> d16;
  const hn::Repartition<std::int32_t, decltype(d16)> d32;
  const hn::Rebind<std::uint8_t, decltype(d16)> d8;
  const auto outputs = static_cast<int>(taps.first.size());
  for (int x = 0; x < outputs; ++x) {
    const std::size_t weights = static_cast<std::size_t>(x) * taps.padded;
    for (int row = 0; row < row_group; ++row) {
      const std::uint8_t* pixels = in[row] + taps.first[x];
      auto high = hn::Zero(d32), high_rest = hn::Zero(d32), low = hn::Zero(d32), low_rest = hn::Zero(d32);
      for (int tap = 0; tap < taps.count[x]; tap += tap_group) {
        const auto wide = hn::PromoteTo(d16, hn::LoadU(d8, pixels + tap));
        high = hn::ReorderWidenMulAccumulate(d32, wide, hn::LoadU(d16, &taps.high[weights + tap]), high,
                                             high_rest);
        low =
            hn::ReorderWidenMulAccumulate(d32, wide, hn::LoadU(d16, &taps.low[weights + tap]), low, low_rest);
      }
      const auto sum = hn::Add(hn::ShiftLeft<low_bits>(hn::Add(high, high_rest)), hn::Add(low, low_rest));
      const std::int32_t total = hn::GetLane(hn::SumOfLanes(d32, sum));
      const std::int32_t value = (total + (1 << (weight_bits - 1))) >> weight_bits;
      out[row][x] = static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
    }
  }
}

/// Sums of 4 column groups that `InterleaveLower` and `InterleaveUpper` made, back to bytes in order.
HWY_INLINE void store_columns(V32 w0, V32 w1, V32 w2, V32 w3, std::uint8_t* out) {
  const D16 d16;
  const hn::Half<D8> d_half;
  const auto left = hn::DemoteTo(d_half, hn::ReorderDemote2To(d16, w0, w1));
  const auto right = hn::DemoteTo(d_half, hn::ReorderDemote2To(d16, w2, w3));
  if constexpr (blocks == 2) {
    const hn::Repartition<std::uint64_t, hn::Half<D8>> d64;
    const auto left_64 = hn::BitCast(d64, left), right_64 = hn::BitCast(d64, right);
    hn::StoreU(hn::BitCast(d_half, hn::InterleaveLower(d64, left_64, right_64)), d_half, out);
    hn::StoreU(hn::BitCast(d_half, hn::InterleaveUpper(d64, left_64, right_64)), d_half, out + 16);
  } else {
    hn::StoreU(left, d_half, out);
    hn::StoreU(right, d_half, out + 8);
  }
}

void column(const std::uint8_t* const* in, const std::int16_t* high, const std::int16_t* low, int count,
            std::size_t bytes, std::uint8_t* out) {
  const D8 d8;
  const D16 d16;
  constexpr std::size_t width = 16 * blocks;
  const V8 zero = hn::Zero(d8);
  for (std::size_t x = 0; x < bytes; x += width) {
    PairSums s0 = no_sums(), s1 = no_sums(), s2 = no_sums(), s3 = no_sums();
    for (int tap = 0; tap < count; tap += 2) {
      const V8 a = hn::LoadU(d8, in[tap] + x), b = hn::LoadU(d8, in[tap + 1] + x);
      const V8 lower = hn::InterleaveLower(d8, a, b), upper = hn::InterleaveUpper(d8, a, b);
      const V16 weight_high = weight_pair(high + tap), weight_low = weight_pair(low + tap);
      s0.add(hn::BitCast(d16, hn::InterleaveLower(d8, lower, zero)), weight_high, weight_low);
      s1.add(hn::BitCast(d16, hn::InterleaveUpper(d8, lower, zero)), weight_high, weight_low);
      s2.add(hn::BitCast(d16, hn::InterleaveLower(d8, upper, zero)), weight_high, weight_low);
      s3.add(hn::BitCast(d16, hn::InterleaveUpper(d8, upper, zero)), weight_high, weight_low);
    }
    if (bytes - x >= width) {
      store_columns(s0.rounded(), s1.rounded(), s2.rounded(), s3.rounded(), out + x);
    } else {
      std::uint8_t last[width];
      store_columns(s0.rounded(), s1.rounded(), s2.rounded(), s3.rounded(), last);
      std::memcpy(out + x, last, bytes - x);
    }
  }
}

#endif
}  // namespace kindling::detail::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kindling::detail {

HWY_EXPORT(rgb_rows);
HWY_EXPORT(grey_rows);
HWY_EXPORT(column);

void resample_rgb_rows(const std::uint8_t* const* in, std::uint8_t* const* out, const Taps& taps) {
  HWY_DYNAMIC_DISPATCH(rgb_rows)(in, out, taps);
}

void resample_grey_rows(const std::uint8_t* const* in, std::uint8_t* const* out, const Taps& taps) {
  HWY_DYNAMIC_DISPATCH(grey_rows)(in, out, taps);
}

void resample_column(const std::uint8_t* const* in, const std::int16_t* high, const std::int16_t* low,
                     int count, std::size_t bytes, std::uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(column)(in, high, low, count, bytes, out);
}

}  // namespace kindling::detail
#endif
