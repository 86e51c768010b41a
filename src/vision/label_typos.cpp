#include "vision/label_typos.hpp"

#include <algorithm>
#include <string_view>

namespace kindling::detail {

namespace {

using Counts = std::map<std::string, std::size_t>;

constexpr std::size_t shortest_word = 4;
constexpr std::size_t most_of_a_typo = 5;
constexpr std::size_t times_as_frequent = 5;

/// Code points of UTF-8; a byte that is none stands for itself.
std::u32string decode(std::string_view text) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    char32_t point = length == 1 ? lead : lead & (0xFF >> (length + 1));
    bool whole = i + length <= text.size();
    for (std::size_t k = 1; whole && k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      whole = (next & 0xC0) == 0x80;
      point = point << 6 | (next & 0x3F);
    }
    out += whole ? point : char32_t{lead};
    i += whole ? length : 1;
  }
  return out;
}

bool is_blank(char32_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xA0 || c == 0x3000 || c == 0xFEFF ||
         (c >= 0x2000 && c <= 0x200B);
}

bool is_separator(char32_t c) {
  return is_blank(c) || c == '_' || c == '-';
}

bool is_digit(char32_t c) {
  return c >= '0' && c <= '9';
}

/// Lower case of Latin, Greek and Cyrillic capitals.
char32_t lower(char32_t c) {
  if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7)) return c + 32;
  if (c >= 0x391 && c <= 0x3A9) return c + 32;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  if (c >= 0x100 && c <= 0x137) return c | 1;
  return c;
}

/// Blanks and separators become one space; those at the ends go.
std::u32string without_blanks(const std::u32string& label) {
  std::u32string out;
  for (const char32_t c : label) {
    if (!is_separator(c))
      out += c;
    else if (!out.empty() && out.back() != U' ')
      out += U' ';
  }
  if (!out.empty() && out.back() == U' ') out.pop_back();
  return out;
}

std::u32string lowered(std::u32string text) {
  std::ranges::transform(text, text.begin(), lower);
  return text;
}

std::string trimmed(const std::string& label) {
  const std::u32string text = decode(label);
  const bool odd = !text.empty() && (is_blank(text.front()) || is_blank(text.back()));
  if (!odd) return label;
  const auto first = label.find_first_not_of(" \t\r\n\f\v");
  const auto last = label.find_last_not_of(" \t\r\n\f\v");
  return first == std::string::npos ? "" : label.substr(first, last + 1 - first);
}

/// Whether one edit turns one word into the other: what is left between their common beginning and end is at
/// most a letter, or two letters changed about.
bool one_edit_apart(std::u32string_view a, std::u32string_view b) {
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) > 1) return false;
  while (!a.empty() && !b.empty() && a.front() == b.front()) {
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  while (!a.empty() && !b.empty() && a.back() == b.back()) {
    a.remove_suffix(1);
    b.remove_suffix(1);
  }
  if (std::ranges::any_of(a, is_digit) || std::ranges::any_of(b, is_digit)) return false;
  if (a.size() == 2 && b.size() == 2) return a[0] == b[1] && a[1] == b[0];
  return a.size() <= 1 && b.size() <= 1;
}

struct Label {
  std::string text;
  std::u32string plain;   ///< without blanks and separators that tell nothing
  std::u32string folded;  ///< and in lower case
  std::size_t count;
};

/// The most frequent first, so that a label is held against those that it may have been meant for.
std::vector<Label> by_frequency(const Counts& counts) {
  std::vector<Label> labels;
  for (const auto& [text, count] : counts) {
    if (text.empty()) continue;
    const std::u32string plain = without_blanks(decode(text));
    labels.push_back({text, plain, lowered(plain), count});
  }
  std::ranges::stable_sort(labels, std::ranges::greater(), &Label::count);
  return labels;
}

/// Why `label` may be `other` written wrongly; empty when it does not look so.
std::string reason_for(const Label& label, const Label& other) {
  if (label.folded == other.folded && !label.folded.empty()) {
    if (label.plain == other.plain) return "differs in blanks, '_' or '-' only";
    const bool case_alone = lowered(decode(label.text)) == lowered(decode(other.text));
    return case_alone ? "differs in upper and lower case only" : "differs in case and blanks only";
  }
  const bool rare = label.count <= most_of_a_typo &&
                    other.count >= times_as_frequent * std::max<std::size_t>(label.count, 1);
  const bool word = std::max(label.folded.size(), other.folded.size()) >= shortest_word;
  return rare && word && one_edit_apart(label.folded, other.folded) ? "is one letter away" : "";
}

}  // namespace

std::vector<OddLabel> odd_labels(const Counts& counts) {
  const std::vector<Label> labels = by_frequency(counts);
  std::vector<OddLabel> odd;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::size_t before = odd.size();
    for (std::size_t k = 0; k < i && odd.size() == before; ++k) {
      const std::string reason = reason_for(labels[i], labels[k]);
      if (!reason.empty()) odd.push_back({labels[i].text, labels[k].text, reason});
    }
    const std::string bare = trimmed(labels[i].text);
    if (odd.size() == before && bare != labels[i].text)
      odd.push_back({labels[i].text, bare, "has blanks at its ends"});
  }
  return odd;
}

}  // namespace kindling::detail
