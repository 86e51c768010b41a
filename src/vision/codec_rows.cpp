#include "vision/codec_formats.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include <fmt/format.h>

namespace kindling::detail {
namespace {

constexpr std::string_view truncation = " is truncated";

std::uint8_t luma(int red, int green, int blue) {
  return static_cast<std::uint8_t>((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16);
}

/// a * b / 255, rounded, without a division.
int scale_255(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

}  // namespace

Error damaged(ImageFormat format, const std::string& reason) {
  return Error(ErrorCode::bad_image, fmt::format("the {} file is damaged: {}", name_of(format), reason), {},
               "download or copy the file again, or leave it out");
}

Error truncated(ImageFormat format, std::size_t bytes) {
  return Error(ErrorCode::bad_image, fmt::format("the {} file{}", name_of(format), truncation),
               {{"bytes", bytes}}, "the end of the picture is missing; download or copy the file again");
}

bool is_truncated(const Error& error) {
  return error.code() == ErrorCode::bad_image && error.message().ends_with(truncation);
}

Error not_supported(ImageFormat format, const std::string& what) {
  return Error(ErrorCode::unsupported,
               fmt::format("{} files with {} are not supported", name_of(format), what), {},
               "convert the file to an ordinary JPEG or PNG");
}

Size stored_size(std::int64_t width, std::int64_t height, ImageFormat format) {
  constexpr std::int64_t most = std::numeric_limits<int>::max();
  if (width <= 0 || height <= 0 || width > most || height > most) {
    throw damaged(format, fmt::format("its header says {} x {} pixels", width, height));
  }
  return {static_cast<int>(width), static_cast<int>(height)};
}

void check_limit(Size size, ImageFormat format, const DecodeOptions& options) {
  const std::int64_t pixels = static_cast<std::int64_t>(size.width) * size.height;
  if (pixels > options.max_pixels) {
    throw Error(ErrorCode::limit, fmt::format("the {} has too many pixels", name_of(format)),
                {{"width", size.width}, {"height", size.height}, {"max_pixels", options.max_pixels}},
                "make the picture smaller, or raise max_pixels");
  }
}

Image new_picture(Size size, ImageFormat format, const DecodeOptions& options) {
  check_limit(size, format, options);
  return Image(size, options.mode == ColorMode::L ? 1 : 3);
}

Palette Palette::grey_ramp() {
  Palette palette;
  for (int i = 0; i < 256; ++i) {
    const auto grey = static_cast<std::uint8_t>(i);
    palette.set(i, grey, grey, grey);
  }
  return palette;
}

void Palette::set(int index, std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
  colours_[index] = {red, green, blue};
  greys_[index] = luma(red, green, blue);
}

bool Palette::is_ramp(int entries) const {
  for (int i = 0; i < entries; ++i) {
    const auto grey = static_cast<std::uint8_t>(i);
    if (colours_[i] != std::array{grey, grey, grey}) return false;
  }
  return true;
}

void Palette::write(const std::uint8_t* indices, int width, ColorMode mode, std::uint8_t* out) const {
  if (mode == ColorMode::L) {
    for (int x = 0; x < width; ++x) out[x] = greys_[indices[x]];
    return;
  }
  for (int x = 0; x < width; ++x, out += 3) {
    const auto& colour = colours_[indices[x]];
    out[0] = colour[0];
    out[1] = colour[1];
    out[2] = colour[2];
  }
}

void write_grey(const std::uint8_t* grey, int step, int width, ColorMode mode, std::uint8_t* out) {
  const std::uint8_t* const end = grey + static_cast<std::ptrdiff_t>(width) * step;
  if (mode == ColorMode::L) {
    for (; grey != end; grey += step) *out++ = *grey;
    return;
  }
  for (; grey != end; grey += step, out += 3) out[0] = out[1] = out[2] = *grey;
}

void write_rgb(const std::uint8_t* rgb, int step, int width, ColorMode mode, std::uint8_t* out) {
  if (mode == ColorMode::RGB && step == 3) {
    std::memcpy(out, rgb, static_cast<std::size_t>(width) * 3);
    return;
  }
  const std::uint8_t* const end = rgb + static_cast<std::ptrdiff_t>(width) * step;
  if (mode == ColorMode::L) {
    for (; rgb != end; rgb += step) *out++ = luma(rgb[0], rgb[1], rgb[2]);
    return;
  }
  for (; rgb != end; rgb += step, out += 3) {
    out[0] = rgb[0];
    out[1] = rgb[1];
    out[2] = rgb[2];
  }
}

void write_cmyk(const std::uint8_t* cmyk, int step, int width, ColorMode mode, std::uint8_t* out) {
  for (int x = 0; x < width; ++x, cmyk += step) {
    const int white = 255 - cmyk[3];
    const int red = std::clamp(white - scale_255(cmyk[0], white), 0, 255);
    const int green = std::clamp(white - scale_255(cmyk[1], white), 0, 255);
    const int blue = std::clamp(white - scale_255(cmyk[2], white), 0, 255);
    if (mode == ColorMode::L) {
      *out++ = luma(red, green, blue);
    } else {
      *out++ = static_cast<std::uint8_t>(red);
      *out++ = static_cast<std::uint8_t>(green);
      *out++ = static_cast<std::uint8_t>(blue);
    }
  }
}

}  // namespace kindling::detail

namespace kindling {

Image to_grey(const Image& rgb) {
  if (rgb.channels() == 1) return rgb;
  if (rgb.channels() != 3) {
    throw Error(ErrorCode::usage, "only an RGB picture can be made grey", {{"channels", rgb.channels()}});
  }
  Image grey(rgb.size(), 1);
  for (int y = 0; y < rgb.height(); ++y) {
    detail::write_rgb(rgb.row(y), 3, rgb.width(), ColorMode::L, grey.row(y));
  }
  return grey;
}

}  // namespace kindling
