#pragma once
/// One reader a format behind `decode_image`, and what they share.
///
/// Every reader checks the size in the header against the limit before it allocates pixels, and turns what
/// its library reports into an `Error`.

#include <kindling/core/error.hpp>
#include <kindling/vision/codec.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kindling::detail {

using ByteSpan = std::span<const std::uint8_t>;

/// A number of a header, lowest byte first.
inline std::uint32_t little_endian(const std::uint8_t* at, int bytes) {
  std::uint32_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = value << 8 | at[i];
  return value;
}

/// A picture in the wanted mode, not yet turned as `orientation` says.
struct Decoded {
  Image image;
  int orientation = 1;
  std::string trouble = {};  ///< damage that the decoder got over: some of the pixels are made up
};

ImageInfo jpeg_info(ByteSpan bytes);
ImageInfo png_info(ByteSpan bytes);
ImageInfo webp_info(ByteSpan bytes);
ImageInfo gif_info(ByteSpan bytes);
ImageInfo bmp_info(ByteSpan bytes);
ImageInfo tiff_info(ByteSpan bytes);

Decoded decode_jpeg(ByteSpan bytes, const DecodeOptions& options);
Decoded decode_png(ByteSpan bytes, const DecodeOptions& options);
Decoded decode_webp(ByteSpan bytes, const DecodeOptions& options);
Decoded decode_gif(ByteSpan bytes, const DecodeOptions& options);
Decoded decode_bmp(ByteSpan bytes, const DecodeOptions& options);
Decoded decode_tiff(ByteSpan bytes, const DecodeOptions& options);

/// The format by the content, then its reader. `decode_image` is this, turned upright.
Decoded decode_picture(ByteSpan bytes, const DecodeOptions& options);

/// What the header says of the pixels beside `image_info`.
struct StoredPixels {
  int bits = 8;       ///< of a sample
  bool inks = false;  ///< CMYK
};
/// Of bytes that `image_info` read.
StoredPixels stored_pixels(ByteSpan bytes, const ImageInfo& info);
StoredPixels tiff_pixels(ByteSpan bytes);

/// Orientation 1..8 in an EXIF block (a TIFF structure, with or without "Exif\0\0" before it); 1 where none
/// is found.
int exif_orientation(ByteSpan block);

/// The error for bytes that are no picture kindling reads; it says what they look like.
Error not_a_picture(ByteSpan bytes);

Error damaged(ImageFormat format, const std::string& reason);
Error truncated(ImageFormat format, std::size_t bytes);
/// Whether an error is that of `truncated`.
bool is_truncated(const Error& error);
Error not_supported(ImageFormat format, const std::string& what);

/// The size of a header; throws `bad_image` where a side is 0 or beyond int.
Size stored_size(std::int64_t width, std::int64_t height, ImageFormat format);
/// Throws `limit` for more pixels than the options allow.
void check_limit(Size size, ImageFormat format, const DecodeOptions& options);
/// An uninitialised picture of the wanted mode's channels; `check_limit` included.
Image new_picture(Size size, ImageFormat format, const DecodeOptions& options);

/// Colours of an indexed picture. Entries that the file does not give are black.
class Palette {
 public:
  /// Entry i is grey i.
  static Palette grey_ramp();

  void set(int index, std::uint8_t red, std::uint8_t green, std::uint8_t blue);
  /// Whether the first `entries` colours are 0, 1, 2 … in grey.
  bool is_ramp(int entries) const;
  void write(const std::uint8_t* indices, int width, ColorMode mode, std::uint8_t* out) const;

 private:
  std::array<std::array<std::uint8_t, 3>, 256> colours_{};
  std::array<std::uint8_t, 256> greys_{};
};

/// One row into the wanted mode. `step` bytes lie between a pixel and the next.
void write_grey(const std::uint8_t* grey, int step, int width, ColorMode mode, std::uint8_t* out);
void write_rgb(const std::uint8_t* rgb, int step, int width, ColorMode mode, std::uint8_t* out);
/// 0 is no ink and 255 all of it, as in Pillow's CMYK pictures.
void write_cmyk(const std::uint8_t* cmyk, int step, int width, ColorMode mode, std::uint8_t* out);

/// The picture turned upright.
Image oriented(Image image, int orientation);

}  // namespace kindling::detail
