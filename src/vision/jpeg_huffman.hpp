#pragma once
/// Huffman codes of baseline JPEGs, read for their lengths: where a block ends and what its mean is, without
/// its pixels.

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

namespace kindling::detail {

/// Bits of a scan from which the stuffed zeros were taken. At least 8 readable bytes lie behind the last bit
/// that is asked for.
class BitReader {
 public:
  explicit BitReader(const std::uint8_t* begin) : begin_(begin), next_(begin) {}

  /// At least 56 bits can be looked at afterwards.
  void refill() {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, next_, sizeof bytes);
    bits_ |= __builtin_bswap64(bytes) >> count_;
    next_ += (63 - count_) >> 3;
    count_ |= 56;
  }
  std::uint32_t peek(int n) const { return static_cast<std::uint32_t>(bits_ >> (64 - n)); }
  void skip(int n) {
    bits_ <<= n;
    count_ -= n;
  }
  std::size_t bits_read() const { return static_cast<std::size_t>(next_ - begin_) * 8 - count_; }

 private:
  const std::uint8_t* begin_;
  const std::uint8_t* next_;
  std::uint64_t bits_ = 0;
  int count_ = 0;
};

/// One table of a DHT segment.
class HuffmanTable {
 public:
  static constexpr int lookup_bits = 12;
  static constexpr int block_end = 128;  ///< what the end of a block moves the place by

  /// Takes 16 counts and the values behind them; what is there already is kept. False for codes that do not
  /// fit their lengths.
  bool set(std::span<const std::uint8_t, 16> counts, std::span<const std::uint8_t> values);

  struct Symbol {
    int bits = 0;  ///< 0: no code
    int value = 0;
  };
  /// The code that `reader` is at, of up to 16 bits.
  Symbol find(const BitReader& reader) const;

  /// Passes the coefficients behind the first of a block; false where they do not fit into it.
  bool skip_block(BitReader& reader) const {
    int place = 1;
    while (place < 64) {
      reader.refill();
      // So far from the end a symbol cannot be the block's last one, unless it says so.
      const auto& lookup = place <= 47 ? pairs_ : singles_;
      std::uint32_t entry = lookup[reader.peek(lookup_bits)];
      if (entry == 0) entry = long_entry(reader);
      if (entry == 0) return false;
      reader.skip(static_cast<int>(entry & 63));
      place += static_cast<int>(entry >> 6);
    }
    return place == 64 || place >= block_end;
  }

 private:
  void build_lookups();
  std::uint32_t long_entry(const BitReader& reader) const;
  static std::uint32_t entry_of(Symbol symbol);

  std::array<std::uint8_t, 16> counts_{};
  std::array<std::uint8_t, 256> values_{};
  std::size_t n_ = 0;
  std::array<std::int32_t, 17> first_code_{}, first_value_{}, codes_{};  ///< of each length
  /// By the next bits: the length of a code and of the number behind it, and how far the place moves (<< 6);
  /// in `pairs_` of two codes where both can be seen. 0 for codes that are longer.
  std::array<std::uint16_t, 1 << lookup_bits> singles_{}, pairs_{};
  std::array<std::uint8_t, 1 << lookup_bits> lengths_{};
};

}  // namespace kindling::detail
