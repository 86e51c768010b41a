#include "core/printable.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kindling::detail {

namespace {

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

}  // namespace

std::string printable(std::string_view text, LineBreaks breaks) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto after = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (c == '\n' || c == '\t') {
      if (breaks == LineBreaks::keep) {
        out += text[i];
      } else {
        out += c == '\n' ? "\\n" : "\\t";
      }
    } else if (c < 0x20 || c == 0x7F) {
      out += fmt::format("\\x{:02x}", c);
    } else if (c == 0xC2 && after >= 0x80 && after < 0xA0) {
      // The 8-bit control characters in UTF-8; U+009B starts a sequence just as ESC [ does.
      out += fmt::format("\\x{:02x}", after);
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !continues(c); }));
}

std::string_view first_columns(std::string_view text, std::size_t columns) {
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (!continues(text[end]) && columns-- == 0) break;
  }
  return text.substr(0, end);
}

}  // namespace kindling::detail
