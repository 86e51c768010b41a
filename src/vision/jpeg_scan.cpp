#include "vision/jpeg_scan.hpp"

#include "vision/jpeg_huffman.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace kindling::detail {

namespace {

enum Marker : std::uint8_t {
  SOF0 = 0xC0,
  SOF1 = 0xC1,
  DHT = 0xC4,
  RST0 = 0xD0,
  RST7 = 0xD7,
  SOI = 0xD8,
  EOI = 0xD9,
  SOS = 0xDA,
  DQT = 0xDB,
  DRI = 0xDD,
  APP0 = 0xE0,
  APP1 = 0xE1,
  APP14 = 0xEE,
  APP15 = 0xEF,
  COM = 0xFE
};

constexpr std::int64_t most_scan_pixels = std::int64_t{1} << 28;
constexpr int longest_side = 65500;  // libjpeg's limit
/// In a group that is stored together (the standard's limit).
constexpr int most_blocks = 10;
/// So many bytes are read at most before the end of the data is looked for: a group of blocks of 64 codes of
/// 16 bits with numbers of 15.
constexpr std::size_t slack = 4096;

struct Component {
  int id = 0, across = 1, down = 1, quantizer = 0;
  const HuffmanTable* dc = nullptr;
  const HuffmanTable* ac = nullptr;
  int last_dc = 0;
};

/// One file. Every step gives false where the file is not ordinary.
class Scanner {
 public:
  explicit Scanner(ByteSpan bytes) : bytes_(bytes) {}

  std::optional<JpegScan> scan() {
    if (bytes_.size() < 4 || bytes_[0] != 0xFF || bytes_[1] != SOI) return std::nullopt;
    at_ = 2;
    if (!read_segments() || !take_entropy_data() || !read_blocks()) return std::nullopt;
    return JpegScan{{ImageFormat::jpeg, size_, static_cast<int>(components_.size()), orientation_},
                    std::move(grey_)};
  }

 private:
  int u16(std::size_t at) const { return bytes_[at] << 8 | bytes_[at + 1]; }

  /// Up to and with the head of the scan.
  bool read_segments() {
    while (at_ + 4 <= bytes_.size() && bytes_[at_] == 0xFF) {
      const std::uint8_t marker = bytes_[at_ + 1];
      if (marker == 0xFF) {
        ++at_;
        continue;
      }
      const auto length = static_cast<std::size_t>(u16(at_ + 2));
      if (length < 2 || length > bytes_.size() - at_ - 2) return false;
      const ByteSpan segment = bytes_.subspan(at_ + 4, length - 2);
      at_ += 2 + length;
      if (marker == SOS) return read_scan_head(segment);
      if (!read_segment(marker, segment)) return false;
    }
    return false;
  }

  bool read_segment(std::uint8_t marker, ByteSpan s) {
    switch (marker) {
      case SOF0:
      case SOF1:
        return read_frame(s);
      case DHT:
        return read_codes(s);
      case DQT:
        return read_quantizers(s);
      case DRI:
        if (s.size() != 2) return false;
        restart_ = s[0] << 8 | s[1];
        return true;
      case APP0:
        jfif_ = jfif_ || (s.size() >= 14 && std::memcmp(s.data(), "JFIF", 5) == 0);
        return true;
      case APP1:
        if (!seen_exif_ && s.size() >= 6 && std::memcmp(s.data(), "Exif\0", 6) == 0) {
          seen_exif_ = true;
          orientation_ = exif_orientation(s);
        }
        return true;
      case APP14:
        if (s.size() >= 12 && std::memcmp(s.data(), "Adobe", 5) == 0) adobe_transform_ = s[11];
        return true;
      default:
        return marker == COM || (marker >= APP0 && marker <= APP15);
    }
  }

  bool read_frame(ByteSpan s) {
    if (!components_.empty() || s.size() < 6 || s[0] != 8) return false;
    size_ = {s[3] << 8 | s[4], s[1] << 8 | s[2]};
    const std::size_t n = s[5];
    if ((n != 1 && n != 3) || s.size() != 6 + 3 * n) return false;
    if (size_.width == 0 || size_.height == 0 || std::max(size_.width, size_.height) > longest_side ||
        std::int64_t{size_.width} * size_.height > most_scan_pixels)
      return false;
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint8_t* c = &s[6 + 3 * i];
      components_.push_back({c[0], c[1] >> 4, c[1] & 15, c[2]});
    }
    return fits(components_);
  }

  /// Brightness must be stored at the full size, the colours at that or a half; a lone component has blocks
  /// of one whatever it says.
  static bool fits(std::vector<Component>& components) {
    Component& luma = components[0];
    if (components.size() == 1 && std::min(luma.across, luma.down) >= 1 &&
        std::max(luma.across, luma.down) <= 4)
      luma.across = luma.down = 1;
    int blocks = 0;
    for (const Component& c : components) blocks += c.across * c.down;
    return blocks <= most_blocks && std::ranges::all_of(components, [&](const Component& c) {
             return c.across >= 1 && c.down >= 1 && c.across <= 2 && c.down <= 2 && c.across <= luma.across &&
                    c.down <= luma.down && c.quantizer < 4;
           });
  }

  bool read_codes(ByteSpan s) {
    while (!s.empty()) {
      if (s.size() < 17) return false;
      const int kind = s[0] >> 4, slot = s[0] & 15;
      const auto counts = s.subspan<1, 16>();
      std::size_t n = 0;
      for (const std::uint8_t count : counts) n += count;
      if (kind > 1 || slot > 1 || n > 256 || s.size() < 17 + n) return false;
      const ByteSpan values = s.subspan(17, n);
      if (kind == 0 && std::ranges::any_of(values, [](std::uint8_t v) { return v > 11; })) return false;
      HuffmanTable& table = tables()[kind * 2 + slot];
      if (!table.set(counts, values)) return false;
      defined_[kind * 2 + slot] = true;
      s = s.subspan(17 + n);
    }
    return true;
  }

  /// Kept from file to file, since they are mostly the same.
  static std::array<HuffmanTable, 4>& tables() {
    thread_local std::array<HuffmanTable, 4> kept;
    return kept;
  }

  bool read_quantizers(ByteSpan s) {
    while (!s.empty()) {
      const int wide = s[0] >> 4, slot = s[0] & 15;
      const std::size_t length = 1 + (wide != 0 ? 128 : 64);
      if (wide > 1 || slot > 3 || s.size() < length) return false;
      quantizers_[slot] = wide != 0 ? s[1] << 8 | s[2] : s[1];
      s = s.subspan(length);
    }
    return true;
  }

  bool read_scan_head(ByteSpan s) {
    const std::size_t n = components_.size();
    if (n == 0 || s.size() != 4 + 2 * n || s[0] != n) return false;
    for (std::size_t i = 0; i < n; ++i) {
      Component& c = components_[i];
      const int dc = s[2 + 2 * i] >> 4, ac = s[2 + 2 * i] & 15;
      if (s[1 + 2 * i] != c.id || dc > 1 || ac > 1 || !defined_[dc] || !defined_[2 + ac]) return false;
      if (quantizers_[c.quantizer] == 0) return false;
      c.dc = &tables()[dc];
      c.ac = &tables()[2 + ac];
    }
    const std::uint8_t* end = &s[1 + 2 * n];
    return end[0] == 0 && end[1] == 63 && end[2] == 0 && is_brightness_and_colours();
  }

  /// Three components may also be red, green and blue; libjpeg tells by these marks.
  bool is_brightness_and_colours() const {
    if (components_.size() == 1 || jfif_) return true;
    if (adobe_transform_ >= 0) return adobe_transform_ == 1;
    return components_[0].id == 1 && components_[1].id == 2 && components_[2].id == 3;
  }

  /// The scan without stuffed zeros, and where its parts between restarts begin.
  bool take_entropy_data() {
    data_.reserve(bytes_.size() - at_ + slack);
    starts_.push_back(0);
    while (true) {
      const auto* from = bytes_.data() + at_;
      const auto* found = static_cast<const std::uint8_t*>(std::memchr(from, 0xFF, bytes_.size() - at_));
      if (found == nullptr) return false;
      data_.insert(data_.end(), from, found);
      at_ = static_cast<std::size_t>(found - bytes_.data()) + 1;
      if (at_ == bytes_.size()) return false;
      const std::uint8_t next = bytes_[at_++];
      if (next == 0) {
        data_.push_back(0xFF);
      } else if (next >= RST0 && next <= RST7) {
        if (next != RST0 + (starts_.size() - 1) % 8) return false;
        starts_.push_back(data_.size());
      } else {
        // Another scan or number of lines would follow in files that are not ordinary.
        ends_ = data_.size();
        data_.resize(data_.size() + slack);
        return next == EOI;
      }
    }
  }

  bool read_blocks() {
    const Component& luma = components_[0];
    const int mcu_width = 8 * luma.across, mcu_height = 8 * luma.down;
    const int across = (size_.width + mcu_width - 1) / mcu_width;
    const int down = (size_.height + mcu_height - 1) / mcu_height;
    grey_ = Image({(size_.width + 7) / 8, (size_.height + 7) / 8}, 1);
    const std::int64_t total = std::int64_t{across} * down;
    const std::int64_t in_a_part = restart_ > 0 ? restart_ : total;
    if (static_cast<std::int64_t>(starts_.size()) != (total + in_a_part - 1) / in_a_part) return false;
    for (std::size_t part = 0; part < starts_.size(); ++part) {
      const std::int64_t first = static_cast<std::int64_t>(part) * in_a_part;
      if (!read_part(part, first, std::min(first + in_a_part, total), across)) return false;
    }
    return true;
  }

  bool read_part(std::size_t part, std::int64_t first, std::int64_t end, int across) {
    const std::size_t begins = starts_[part];
    const std::size_t bits = 8 * ((part + 1 < starts_.size() ? starts_[part + 1] : ends_) - begins);
    BitReader reader(data_.data() + begins);
    for (Component& c : components_) c.last_dc = 0;
    for (std::int64_t mcu = first; mcu < end; ++mcu) {
      if (!read_mcu(reader, static_cast<int>(mcu % across), static_cast<int>(mcu / across))) return false;
      if (reader.bits_read() > bits) return false;
    }
    return bits - reader.bits_read() < 8;
  }

  bool read_mcu(BitReader& reader, int column, int row) {
    for (Component& c : components_) {
      for (int y = 0; y < c.down; ++y) {
        for (int x = 0; x < c.across; ++x) {
          if (!read_dc(reader, c) || !c.ac->skip_block(reader)) return false;
          if (&c == &components_.front()) put_mean(column * c.across + x, row * c.down + y, c);
        }
      }
    }
    return true;
  }

  static bool read_dc(BitReader& reader, Component& c) {
    reader.refill();
    const auto symbol = c.dc->find(reader);
    if (symbol.bits == 0) return false;
    reader.skip(symbol.bits);
    if (symbol.value == 0) return true;
    const auto bits = static_cast<int>(reader.peek(symbol.value));
    reader.skip(symbol.value);
    c.last_dc += bits < 1 << (symbol.value - 1) ? bits - (1 << symbol.value) + 1 : bits;
    return c.last_dc >= -(1 << 15) && c.last_dc < 1 << 15;
  }

  void put_mean(int x, int y, const Component& c) {
    if (x >= grey_.width() || y >= grey_.height()) return;
    const int mean = ((c.last_dc * quantizers_[c.quantizer] + 4) >> 3) + 128;
    grey_.row(y)[x] = static_cast<std::uint8_t>(std::clamp(mean, 0, 255));
  }

  ByteSpan bytes_;
  std::size_t at_ = 0;
  Size size_;
  int orientation_ = 1;
  bool seen_exif_ = false, jfif_ = false;
  int adobe_transform_ = -1;
  int restart_ = 0;
  std::vector<Component> components_;
  std::array<int, 4> quantizers_{};
  std::array<bool, 4> defined_{};
  Bytes data_;
  std::vector<std::size_t> starts_;
  std::size_t ends_ = 0;
  Image grey_;
};

}  // namespace

std::optional<JpegScan> scan_jpeg(ByteSpan bytes) {
  return Scanner(bytes).scan();
}

}  // namespace kindling::detail
