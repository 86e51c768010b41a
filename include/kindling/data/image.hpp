#pragma once
/// Pixels of one picture: 8-bit, interleaved, rows from the top.

#include <cstddef>
#include <cstdint>
#include <memory>

namespace kindling {

/// Width and height in pixels.
struct Size {
  int width = 0;
  int height = 0;
  bool operator==(const Size&) const = default;
};

/// A picture, height x width x channels of uint8 without padding between rows. 1 channel is grey (Pillow's
/// L), 3 are RGB. Copies share the pixels; whoever writes to them owns the only copy.
class Image {
 public:
  Image() = default;
  /// Pixels are not initialised. `read_slack` more bytes behind them may be read (they are 0), so that vector
  /// code loads whole registers up to the last pixel. Throws `usage` for an empty size or channels
  /// outside 1..4.
  Image(Size size, int channels);
  static constexpr std::size_t read_slack = 64;

  int width() const { return size_.width; }
  int height() const { return size_.height; }
  int channels() const { return channels_; }
  Size size() const { return size_; }
  bool empty() const { return !pixels_; }
  std::size_t stride() const { return static_cast<std::size_t>(size_.width) * channels_; }
  std::size_t bytes() const { return stride() * size_.height; }

  const std::uint8_t* data() const { return pixels_.get(); }
  std::uint8_t* data() { return pixels_.get(); }
  const std::uint8_t* row(int y) const { return data() + stride() * y; }
  std::uint8_t* row(int y) { return data() + stride() * y; }

 private:
  Size size_;
  int channels_ = 0;
  std::shared_ptr<std::uint8_t[]> pixels_;
};

}  // namespace kindling
