#include "vision/codec_formats.hpp"

#include <algorithm>
#include <cctype>
#include <string>

#include <fmt/format.h>

namespace kindling::detail {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::size_t looked_at = 1024;
constexpr std::size_t quoted = 40;

struct Known {
  std::string_view prefix;
  std::string_view name;
};

/// Pictures that other programs read.
constexpr Known other_pictures[] = {
    {"\0\0\0\x0CjP  "sv, "a JPEG 2000 picture"},
    {"\xFF\x4F\xFF\x51"sv, "a JPEG 2000 picture"},
    {"\xFF\x0A"sv, "a JPEG XL picture"},
    {"\0\0\0\x0CJXL "sv, "a JPEG XL picture"},
    {"8BPS"sv, "a Photoshop file"},
    {"\0\0\1\0"sv, "an icon (ICO)"},
    {"P1\n"sv, "a PBM picture"},
    {"P4\n"sv, "a PBM picture"},
    {"P2\n"sv, "a PGM picture"},
    {"P5\n"sv, "a PGM picture"},
    {"P3\n"sv, "a PPM picture"},
    {"P6\n"sv, "a PPM picture"},
};

constexpr Known other_files[] = {
    {"%PDF"sv, "a PDF document"},
    {"PK\x03\x04"sv, "a ZIP archive"},
    {"\x1F\x8B"sv, "gzip data"},
    {"\x7F"
     "ELF"sv,
     "a program"},
    {"\x1A\x45\xDF\xA3"sv, "a video"},
    {"MATLAB"sv, "a MATLAB file"},
    {"\0\0\0\0\0\0\0\0"sv, "zero bytes"},
    {"RIFF"sv, "a sound or a video"},
};

std::string_view name_among(std::span<const Known> known, std::string_view text) {
  for (const auto& entry : known) {
    if (text.starts_with(entry.prefix)) return entry.name;
  }
  return {};
}

/// The kind in an ISO base media file: HEIC and AVIF pictures are such, and so are MP4 videos.
std::string_view media_brand(std::string_view text) {
  if (text.size() < 12 || text.substr(4, 4) != "ftyp") return {};
  const auto brand = text.substr(8, 4);
  if (brand == "avif" || brand == "avis") return "an AVIF picture";
  if (brand.starts_with("hei") || brand.starts_with("hev") || brand == "mif1" || brand == "msf1") {
    return "a HEIC picture";
  }
  return {};
}

bool looks_like_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 || byte == '\n' || byte == '\r' || byte == '\t';
  });
}

std::string lower_without_leading_space(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

Error not_read(std::string_view name) {
  return Error(ErrorCode::unsupported, fmt::format("the file is {}, which is not supported", name), {},
               "convert it to JPEG or PNG");
}

Error no_picture(std::string_view name, std::size_t bytes, std::string_view hint) {
  return Error(ErrorCode::bad_image, fmt::format("the file is no picture: it is {}", name),
               {{"bytes", bytes}}, std::string(hint));
}

Error text_error(std::string_view text, std::size_t bytes) {
  const std::string lower = lower_without_leading_space(text);
  const bool markup = lower.starts_with("<?xml") || lower.starts_with("<!--") || lower.starts_with("<svg") ||
                      lower.starts_with("<!doctype svg");
  if (markup && lower.find("<svg") != std::string::npos) return not_read("an SVG drawing");
  const bool page = lower.starts_with("<!doctype html") || lower.starts_with("<html") ||
                    lower.starts_with("<head") || lower.find("<html") != std::string::npos;
  if (page) {
    return no_picture("a web page (HTML)", bytes,
                      "the download saved a page instead of the picture; download it again or leave it out");
  }
  return no_picture("text", bytes, "leave it out, or download it again")
      .with("begins", std::string(text.substr(0, quoted)));
}

}  // namespace

Error not_a_picture(ByteSpan bytes) {
  if (bytes.empty()) {
    return Error(ErrorCode::bad_image, "the file is empty", {}, "download or copy it again, or leave it out");
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), looked_at));
  if (const auto name = name_among(other_pictures, text); !name.empty()) return not_read(name);
  if (const auto name = media_brand(text); !name.empty()) return not_read(name);
  if (const auto name = name_among(other_files, text); !name.empty()) {
    return no_picture(name, bytes.size(), "leave it out");
  }
  if (looks_like_text(text)) return text_error(text, bytes.size());
  return Error(ErrorCode::bad_image, "the file is of no known picture format", {{"bytes", bytes.size()}},
               "JPEG, PNG, WebP, GIF, BMP and TIFF can be read");
}

}  // namespace kindling::detail
