#include "vision/jpeg_huffman.hpp"

#include <algorithm>

namespace kindling::detail {

bool HuffmanTable::set(std::span<const std::uint8_t, 16> counts, std::span<const std::uint8_t> values) {
  if (n_ == values.size() && std::ranges::equal(counts, counts_) &&
      std::equal(values.begin(), values.end(), values_.begin())) {
    return true;  // most files of a data set have the same tables
  }
  n_ = 0;
  std::int32_t code = 0, value = 0;
  for (int length = 1; length <= 16; ++length) {
    const int count = counts[length - 1];
    first_code_[length] = code;
    first_value_[length] = value;
    codes_[length] = count;
    code += count;
    value += count;
    if (code >= 1 << length) return false;  // no code is all ones
    code <<= 1;
  }
  std::ranges::copy(counts, counts_.begin());
  std::ranges::copy(values, values_.begin());
  n_ = values.size();
  build_lookups();
  return true;
}

HuffmanTable::Symbol HuffmanTable::find(const BitReader& reader) const {
  int length = lengths_[reader.peek(lookup_bits)];
  if (length == 0) length = lookup_bits + 1;
  for (; length <= 16; ++length) {
    const std::int32_t at = static_cast<std::int32_t>(reader.peek(length)) - first_code_[length];
    if (at >= 0 && at < codes_[length]) return {length, values_[first_value_[length] + at]};
  }
  return {};
}

/// The lower four bits of a symbol are the length of the number behind it, the upper four the zeros before.
std::uint32_t HuffmanTable::entry_of(Symbol symbol) {
  const int size = symbol.value & 15, zeros = symbol.value >> 4;
  const int moves = size == 0 && zeros != 15 ? block_end : zeros + 1;
  return static_cast<std::uint32_t>(symbol.bits + size) | static_cast<std::uint32_t>(moves) << 6;
}

std::uint32_t HuffmanTable::long_entry(const BitReader& reader) const {
  const Symbol symbol = find(reader);
  return symbol.bits == 0 ? 0 : entry_of(symbol);
}

void HuffmanTable::build_lookups() {
  singles_.fill(0);
  lengths_.fill(0);
  for (int length = 1; length <= lookup_bits; ++length) {
    for (int i = 0; i < codes_[length]; ++i) {
      const int shift = lookup_bits - length;
      const auto first = static_cast<std::size_t>(first_code_[length] + i) << shift;
      const auto entry = static_cast<std::uint16_t>(entry_of({length, values_[first_value_[length] + i]}));
      std::fill_n(singles_.begin() + static_cast<std::ptrdiff_t>(first), 1 << shift, entry);
      std::fill_n(lengths_.begin() + static_cast<std::ptrdiff_t>(first), 1 << shift,
                  static_cast<std::uint8_t>(length));
    }
  }
  constexpr std::size_t mask = (std::size_t{1} << lookup_bits) - 1;
  for (std::size_t bits = 0; bits <= mask; ++bits) {
    const unsigned first = singles_[bits];
    pairs_[bits] = static_cast<std::uint16_t>(first);
    const unsigned used = first & 63;
    if (first == 0 || first >> 6 >= block_end || used >= lookup_bits) continue;
    const std::size_t next = bits << used & mask;
    const unsigned second = singles_[next];
    if (second == 0 || used + lengths_[next] > lookup_bits) continue;
    pairs_[bits] = static_cast<std::uint16_t>(first + second);
  }
}

}  // namespace kindling::detail
