#include "vision/codec_formats.hpp"

#include <algorithm>
#include <string>

namespace kindling {
namespace {

using detail::ByteSpan;

bool starts_with(ByteSpan bytes, std::string_view prefix, std::size_t at = 0) {
  return bytes.size() >= at + prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

/// "BM" begins words too, so the length of the second header must be one of the known ones.
bool is_bmp(ByteSpan bytes) {
  constexpr std::uint8_t lengths[] = {12, 40, 52, 56, 64, 108, 124};
  return starts_with(bytes, "BM") && starts_with(bytes, std::string_view("\0\0\0", 3), 15) &&
         std::ranges::find(lengths, bytes[14]) != std::end(lengths);
}

bool is_tiff(ByteSpan bytes) {
  using std::string_view_literals::operator""sv;
  return starts_with(bytes, "II*\0"sv) || starts_with(bytes, "MM\0*"sv) || starts_with(bytes, "II+\0"sv) ||
         starts_with(bytes, "MM\0+"sv);
}

ImageFormat format_or_throw(ByteSpan bytes) {
  const auto format = image_format(bytes);
  if (!format) throw detail::not_a_picture(bytes);
  return *format;
}

}  // namespace

std::string_view name_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg:
      return "JPEG";
    case ImageFormat::png:
      return "PNG";
    case ImageFormat::webp:
      return "WebP";
    case ImageFormat::gif:
      return "GIF";
    case ImageFormat::bmp:
      return "BMP";
    case ImageFormat::tiff:
      return "TIFF";
  }
  return "";
}

std::optional<ImageFormat> image_format(ByteSpan bytes) {
  if (starts_with(bytes, "\xFF\xD8\xFF")) return ImageFormat::jpeg;
  if (starts_with(bytes, "\x89PNG\r\n\x1A\n")) return ImageFormat::png;
  if (starts_with(bytes, "RIFF") && starts_with(bytes, "WEBP", 8)) return ImageFormat::webp;
  if (starts_with(bytes, "GIF87a") || starts_with(bytes, "GIF89a")) return ImageFormat::gif;
  if (is_bmp(bytes)) return ImageFormat::bmp;
  if (is_tiff(bytes)) return ImageFormat::tiff;
  return std::nullopt;
}

ImageInfo image_info(ByteSpan bytes) {
  switch (format_or_throw(bytes)) {
    case ImageFormat::jpeg:
      return detail::jpeg_info(bytes);
    case ImageFormat::png:
      return detail::png_info(bytes);
    case ImageFormat::webp:
      return detail::webp_info(bytes);
    case ImageFormat::gif:
      return detail::gif_info(bytes);
    case ImageFormat::bmp:
      return detail::bmp_info(bytes);
    case ImageFormat::tiff:
      return detail::tiff_info(bytes);
  }
  throw detail::not_a_picture(bytes);
}

namespace detail {

Decoded decode_picture(ByteSpan bytes, const DecodeOptions& options) {
  switch (format_or_throw(bytes)) {
    case ImageFormat::jpeg:
      return decode_jpeg(bytes, options);
    case ImageFormat::png:
      return decode_png(bytes, options);
    case ImageFormat::webp:
      return decode_webp(bytes, options);
    case ImageFormat::gif:
      return decode_gif(bytes, options);
    case ImageFormat::bmp:
      return decode_bmp(bytes, options);
    case ImageFormat::tiff:
      return decode_tiff(bytes, options);
  }
  throw not_a_picture(bytes);
}

StoredPixels stored_pixels(ByteSpan bytes, const ImageInfo& info) {
  constexpr std::size_t png_bit_depth = 24;  // after the signature, a chunk's head, and two sides
  if (info.format == ImageFormat::png && bytes.size() > png_bit_depth) return {.bits = bytes[png_bit_depth]};
  if (info.format == ImageFormat::tiff) return tiff_pixels(bytes);
  return {.inks = info.format == ImageFormat::jpeg && info.channels == 4};
}

}  // namespace detail

Image decode_image(ByteSpan bytes, const DecodeOptions& options) {
  auto decoded = detail::decode_picture(bytes, options);
  return detail::oriented(std::move(decoded.image), decoded.orientation);
}

Image open_image(const fs::path& path, const DecodeOptions& options) {
  const Bytes bytes = read_file(path);
  try {
    return decode_image(bytes, options);
  } catch (Error& error) {
    error.with("path", path);
    throw;
  }
}

}  // namespace kindling
