#pragma once
/// Pictures out of files and bytes, told by their content, with Pillow's pixels.
///
///   Image photo = open_image("cat.jpg");                          // RGB, upright
///   Image grey = open_image("digit.png", {.mode = ColorMode::L});
///
/// Reads JPEG, PNG, WebP, GIF (first frame), BMP and TIFF (first page).

#include <kindling/core/files.hpp>
#include <kindling/data/image.hpp>

#include <functional>
#include <optional>
#include <span>
#include <string_view>

namespace kindling {

enum class ColorMode { RGB, L };
enum class ImageFormat { jpeg, png, webp, gif, bmp, tiff };

/// "JPEG", "PNG" …
std::string_view name_of(ImageFormat format);

struct DecodeOptions {
  ColorMode mode = ColorMode::RGB;
  /// Turn the picture as its EXIF orientation says. fastai (Pillow's plain `open`) does not; false equals it.
  /// A TIFF is always turned as its own orientation tag says, as Pillow does.
  bool exif_orientation = true;
  /// Pictures of more pixels are refused before anything is allocated.
  std::int64_t max_pixels = std::int64_t{1} << 28;
  /// A JPEG that ends early is an error (as in Pillow); true fills the rest with grey instead. A cut file of
  /// another format is an error always.
  bool allow_truncated = false;
  /// For masks: a palette's indices, as grey, instead of its colours, and grey of fewer than 8 bits unscaled.
  bool raw_samples = false;
  /// Asked with the stored size (before EXIF turning): by which of 1, 2, 4, 8 a JPEG may be reduced while
  /// decoding. Empty: exact decoding. Other formats ignore it.
  std::function<int(Size)> reduction;
};

/// What the header says, without decoding.
struct ImageInfo {
  ImageFormat format = ImageFormat::jpeg;
  Size size;            ///< as stored
  int channels = 3;     ///< of the stored picture: 1 grey, 2 grey + alpha, 3, 4 (CMYK or alpha)
  int orientation = 1;  ///< EXIF orientation 1..8
};

/// The format by the first bytes, or nothing.
std::optional<ImageFormat> image_format(std::span<const std::uint8_t> bytes);

/// Throws `bad_image` for what is not a picture (the message says what it looks like instead: HTML, text,
/// empty …).
ImageInfo image_info(std::span<const std::uint8_t> bytes);

/// Decodes. Conversions to RGB and L are Pillow's `convert` (alpha is dropped, a palette applied, 16 bit
/// reduced as Pillow does). Throws `bad_image`, `unsupported`, or `limit`.
Image decode_image(std::span<const std::uint8_t> bytes, const DecodeOptions& options = {});

/// `decode_image` on a file; an error carries the fact "path".
Image open_image(const fs::path& path, const DecodeOptions& options = {});

/// PNG bytes (1 or 3 channels).
Bytes encode_png(const Image& image);
/// JPEG bytes at `quality` 1..100, 4:2:0.
Bytes encode_jpeg(const Image& image, int quality = 90);

/// Pillow's RGB to L: (19595 R + 38470 G + 7471 B + 0x8000) >> 16.
Image to_grey(const Image& rgb);

}  // namespace kindling
