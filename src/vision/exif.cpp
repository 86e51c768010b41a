#include "vision/codec_formats.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

namespace kindling::detail {
namespace {

constexpr std::uint16_t orientation_tag = 0x0112;
constexpr std::uint16_t type_short = 3;
constexpr std::uint16_t type_long = 4;
constexpr std::size_t entry_bytes = 12;

/// Numbers of a TIFF structure in its byte order; nothing beyond the end.
class TiffBlock {
 public:
  explicit TiffBlock(ByteSpan bytes) : bytes_(bytes) {
    little_ = bytes.size() >= 2 && bytes[0] == 'I' && bytes[1] == 'I';
    valid_ = bytes.size() >= 8 && (little_ || (bytes[0] == 'M' && bytes[1] == 'M')) && u16(2) == 42;
  }
  bool valid() const { return valid_; }
  bool holds(std::size_t offset, std::size_t count) const {
    return offset <= bytes_.size() && count <= bytes_.size() - offset;
  }
  std::uint16_t u16(std::size_t at) const {
    const std::uint16_t first = bytes_[at], second = bytes_[at + 1];
    return static_cast<std::uint16_t>(little_ ? first | second << 8 : first << 8 | second);
  }
  std::uint32_t u32(std::size_t at) const {
    const std::uint32_t first = u16(at), second = u16(at + 2);
    return little_ ? first | second << 16 : first << 16 | second;
  }

 private:
  ByteSpan bytes_;
  bool little_ = false;
  bool valid_ = false;
};

std::optional<std::uint32_t> first_directory_value(const TiffBlock& block, std::uint16_t tag) {
  const std::size_t directory = block.u32(4);
  if (!block.holds(directory, 2)) return std::nullopt;
  const std::size_t entries = block.u16(directory);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * entry_bytes;
    if (!block.holds(entry, entry_bytes)) return std::nullopt;
    if (block.u16(entry) != tag || block.u32(entry + 4) != 1) continue;
    if (block.u16(entry + 2) == type_short) return block.u16(entry + 8);
    if (block.u16(entry + 2) == type_long) return block.u32(entry + 8);
  }
  return std::nullopt;
}

}  // namespace

int exif_orientation(ByteSpan bytes) {
  constexpr std::uint8_t prefix[] = {'E', 'x', 'i', 'f', 0, 0};
  if (bytes.size() >= sizeof prefix && std::equal(std::begin(prefix), std::end(prefix), bytes.begin())) {
    bytes = bytes.subspan(sizeof prefix);
  }
  const TiffBlock block(bytes);
  if (!block.valid()) return 1;
  const auto value = first_directory_value(block, orientation_tag);
  return value && *value >= 1 && *value <= 8 ? static_cast<int>(*value) : 1;
}

namespace {

constexpr int tile = 16;

/// Output pixel (x, y) comes from input `origin + x * by_x + y * by_y`, all in pixels; tiles keep both sides
/// in cache.
template <int channels>
void turn(const Image& in, Image& out, std::ptrdiff_t origin, std::ptrdiff_t by_x, std::ptrdiff_t by_y) {
  const std::uint8_t* source = in.data();
  for (int top = 0; top < out.height(); top += tile) {
    for (int left = 0; left < out.width(); left += tile) {
      const int bottom = std::min(top + tile, out.height());
      const int right = std::min(left + tile, out.width());
      for (int y = top; y < bottom; ++y) {
        std::uint8_t* pixel = out.row(y) + static_cast<std::size_t>(left) * channels;
        for (int x = left; x < right; ++x, pixel += channels) {
          std::memcpy(pixel, source + (origin + x * by_x + y * by_y) * channels, channels);
        }
      }
    }
  }
}

}  // namespace

Image oriented(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const std::ptrdiff_t width = image.width(), height = image.height();
  const std::ptrdiff_t last_column = width - 1, last_row = (height - 1) * width;
  const bool sides_swap = orientation >= 5;
  Image out(sides_swap ? Size{image.height(), image.width()} : image.size(), image.channels());
  struct Walk {
    std::ptrdiff_t origin, by_x, by_y;
  };
  const Walk walks[] = {
      {last_column, -1, width},              // 2 mirrored left to right
      {last_row + last_column, -1, -width},  // 3 upside down
      {last_row, 1, -width},                 // 4 mirrored top to bottom
      {0, width, 1},                         // 5 transposed
      {last_row, -width, 1},                 // 6 to be turned clockwise
      {last_row + last_column, -width, -1},  // 7 transposed on the other diagonal
      {last_column, width, -1},              // 8 to be turned anticlockwise
  };
  const Walk& walk = walks[orientation - 2];
  if (image.channels() == 1) {
    turn<1>(image, out, walk.origin, walk.by_x, walk.by_y);
  } else {
    turn<3>(image, out, walk.origin, walk.by_x, walk.by_y);
  }
  return out;
}

}  // namespace kindling::detail
