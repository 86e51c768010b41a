#include "vision/provider_answers.hpp"

#include <kindling/core/error.hpp>

#include "core/http_transfer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

namespace kindling::detail {

namespace {

constexpr std::size_t longest_text = 2000;
constexpr std::int64_t most_pixels = 1'000'000;

/// On one line, bounded, and UTF-8 that no cut left half.
std::string tidy(std::string text) {
  if (text.size() > longest_text) {
    std::size_t end = longest_text;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.resize(end);
  }
  std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return text;
}

void put_utf8(std::string& out, std::uint32_t code) {
  const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | code >> 6), byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 0x3F)), byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 0x3F)), byte(0x80 | (code >> 6 & 0x3F)),
        byte(0x80 | (code & 0x3F));
  }
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 9> named_entities{{{"amp", "&"},
                                                                                         {"lt", "<"},
                                                                                         {"gt", ">"},
                                                                                         {"quot", "\""},
                                                                                         {"apos", "'"},
                                                                                         {"ndash", "–"},
                                                                                         {"mdash", "—"},
                                                                                         {"copy", "©"},
                                                                                         {"middot", "·"}}};

/// Of "#233" or "amp"; false for what it is not.
bool put_entity(std::string& out, std::string_view name) {
  if (!name.starts_with('#')) {
    const auto known = std::ranges::find(named_entities, name, &std::pair<std::string_view, std::string_view>::first);
    if (known == named_entities.end()) return false;
    out += known->second;
    return true;
  }
  const bool hex = name.starts_with("#x") || name.starts_with("#X");
  const std::string_view digits = name.substr(hex ? 2 : 1);
  std::uint32_t code = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 10);
  const bool good = error == std::errc() && end == digits.data() + digits.size() && !digits.empty();
  if (!good || code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
  put_utf8(out, code);
  return true;
}

}  // namespace

const Json& member(const Json& object, std::string_view key) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(std::string(key));
  return found == object.end() ? none : *found;
}

std::string text_at(const Json& object, std::string_view key) {
  const Json& value = member(object, key);
  return value.is_string() ? tidy(value.get<std::string>()) : std::string();
}

int pixels_at(const Json& object, std::string_view key) {
  const Json& value = member(object, key);
  if (!value.is_number_integer()) return 0;
  // Beyond int64 it reads as negative.
  const auto number = value.get<std::int64_t>();
  return number > 0 && number <= most_pixels ? static_cast<int>(number) : 0;
}

std::string plain_text(std::string_view html) {
  constexpr std::size_t longest_entity = 10;
  constexpr std::string_view no_break_space = "&nbsp;";
  std::string out;
  bool blank = false;
  for (std::size_t i = 0; i < html.size(); ++i) {
    const char c = html[i];
    if (c == '<') {
      i = std::min(html.find('>', i), html.size() - 1);
      blank = true;
      continue;
    }
    if (static_cast<unsigned char>(c) <= 0x20) {
      blank = true;
      continue;
    }
    if (html.substr(i).starts_with(no_break_space)) {
      i += no_break_space.size() - 1;
      blank = true;
      continue;
    }
    if (blank && !out.empty()) out += ' ';
    blank = false;
    if (c == '&') {
      const std::size_t end = html.substr(i, longest_entity).find(';');
      if (end != std::string_view::npos && put_entity(out, html.substr(i + 1, end - 1))) {
        i += end;
        continue;
      }
    }
    out += c;
  }
  return tidy(std::move(out));
}

std::string ask(const std::string& url, const FetchOptions& options) {
  FetchOptions own = options;
  const Address address = parse_address(url);
  own.allow_hosts.push_back(address.host + ":" + address.port);
  const Bytes bytes = fetch(url, own);
  return {bytes.begin(), bytes.end()};
}

Json parse_answer(std::string_view answer, const std::string& provider) {
  try {
    return parse_json(answer, provider);
  } catch (Error& error) {
    throw error.with_hint("the provider sent something else than its programming interface: try again later, or "
                          "another provider");
  }
}

}  // namespace kindling::detail
