#include "vision/shrink.hpp"

#include <kindling/vision/resample.hpp>

#include <algorithm>

namespace kindling::detail {

namespace {

constexpr int jpeg_quality = 90;

}  // namespace

Size shrunk_size(Size size, int max_size) {
  const double ratio = static_cast<double>(max_size) / std::max(size.width, size.height);
  return {std::max(1, static_cast<int>(size.width * ratio)), std::max(1, static_cast<int>(size.height * ratio))};
}

ImageFormat written_format(ImageFormat format) {
  const bool lossy = format == ImageFormat::jpeg || format == ImageFormat::webp;
  return lossy ? ImageFormat::jpeg : ImageFormat::png;
}

Encoded shrink(std::span<const std::uint8_t> bytes, int max_size, const DecodeOptions& decode) {
  Image image = decode_image(bytes, decode);
  if (max_size > 0 && std::max(image.width(), image.height()) > max_size)
    image = resize(image, shrunk_size(image.size(), max_size));
  const ImageFormat format = written_format(image_format(bytes).value_or(ImageFormat::jpeg));
  return {format == ImageFormat::png ? encode_png(image) : encode_jpeg(image, jpeg_quality), format};
}

std::string_view extension_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg:
      return ".jpg";
    case ImageFormat::png:
      return ".png";
    case ImageFormat::webp:
      return ".webp";
    case ImageFormat::gif:
      return ".gif";
    case ImageFormat::bmp:
      return ".bmp";
    case ImageFormat::tiff:
      return ".tif";
  }
  return "";
}

}  // namespace kindling::detail
