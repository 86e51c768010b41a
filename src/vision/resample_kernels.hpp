#pragma once
/// The inner loops of `resize`, compiled for several instruction sets and chosen at run time.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kindling::detail {

/// Pillow's fixed point: weights are multiples of 2^-22.
constexpr int weight_bits = 22;
/// A weight is `high * 2^11 + low`, so that both parts fit the 16-bit multiply-add that every instruction set
/// has. Sums are taken modulo 2^32: parts may overflow, the whole does not, so the result is exact.
constexpr int low_bits = 11;
/// Weights are stored for a multiple of this many taps; those beyond the real ones are 0.
constexpr int tap_group = 8;

/// Which inputs make each output along one axis.
struct Taps {
  int padded = 0;  ///< stored weights an output
  std::vector<int> first;
  std::vector<int> count;
  std::vector<std::int16_t> high;
  std::vector<std::int16_t> low;
};

/// Rows of one horizontal step, done together.
constexpr int row_group = 4;

/// `row_group` rows of RGB pixels. Up to 24 bytes behind the last tap are read; `out` rows must have room for
/// one byte more than their pixels, and it is overwritten.
void resample_rgb_rows(const std::uint8_t* const* in, std::uint8_t* const* out, const Taps& taps);
/// The same for grey; nothing is written behind the row.
void resample_grey_rows(const std::uint8_t* const* in, std::uint8_t* const* out, const Taps& taps);
/// One output row out of `count` (even) rows of `bytes` bytes; up to 31 bytes behind each are read.
void resample_column(const std::uint8_t* const* in, const std::int16_t* high, const std::int16_t* low,
                     int count, std::size_t bytes, std::uint8_t* out);

}  // namespace kindling::detail
