#include "core/portable_name.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace kindling::detail {

namespace {

constexpr std::size_t longest_name = 80;

bool is_forbidden(unsigned char c) {
  return c < 0x20 || c == 0x7F || std::string_view("/\\:*?\"<>|").find(static_cast<char>(c)) != std::string_view::npos;
}

bool is_device(std::string_view name) {
  std::string stem(name.substr(0, name.find('.')));
  std::ranges::transform(stem, stem.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array devices{"con", "prn", "aux", "nul"};
  const bool numbered = stem.size() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")) &&
                        std::isdigit(static_cast<unsigned char>(stem[3])) != 0;
  return numbered || std::ranges::find(devices, stem) != devices.end();
}

/// Without a character of UTF-8 that the cut left half.
void cut(std::string& text, std::size_t bytes) {
  if (text.size() <= bytes) return;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  text.resize(bytes);
}

}  // namespace

std::string portable_name(std::string_view text) {
  std::string name;
  for (char c : text) name += is_forbidden(static_cast<unsigned char>(c)) ? '_' : c;
  cut(name, longest_name);
  const auto first = name.find_first_not_of(". ");
  if (first == std::string::npos) return "_";
  name = name.substr(first, name.find_last_not_of(". ") - first + 1);
  return is_device(name) ? "_" + name : name;
}

std::string slug(std::string_view text, std::size_t longest) {
  std::string word;
  for (char c : text) {
    const auto letter = static_cast<unsigned char>(c);
    if (letter < 0x80 && std::isalnum(letter) != 0) {
      word += static_cast<char>(std::tolower(letter));
    } else if (!word.empty() && !word.ends_with('-')) {
      word += '-';
    }
    if (word.size() == longest) break;
  }
  if (word.ends_with('-')) word.pop_back();
  return word;
}

}  // namespace kindling::detail
