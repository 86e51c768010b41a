#include <kindling/core/error.hpp>
#include <kindling/vision/collect.hpp>

#include "vision/provider_answers.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

#include <fmt/format.h>

namespace kindling {

namespace {

constexpr const char* openverse_address = "https://api.openverse.org/v1/images/";
// Larger pages are for those with a key; smaller ones would cost more of the few requests.
constexpr int page_size = 20;
constexpr const char* openverse_name = "openverse";

/// "CC BY-SA 2.0" of "by-sa" and "2.0".
std::string licence_name(std::string code, const std::string& version) {
  if (code.empty()) return "";
  if (code == "pdm") return "Public Domain Mark " + version;
  std::ranges::transform(code, code.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const std::string prefix = code.starts_with("CC") || code == "PUBLICDOMAIN" ? "" : "CC ";
  return prefix + code + (version.empty() ? "" : " " + version);
}

ImageResult result_of(const Json& json) {
  using detail::text_at;
  return {.url = text_at(json, "url"),
          .thumbnail = text_at(json, "thumbnail"),
          .title = text_at(json, "title"),
          .author = text_at(json, "creator"),
          .licence = licence_name(text_at(json, "license"), text_at(json, "license_version")),
          .licence_url = text_at(json, "license_url"),
          .source_page = text_at(json, "foreign_landing_url"),
          .width = detail::pixels_at(json, "width"),
          .height = detail::pixels_at(json, "height")};
}

class Openverse {
 public:
  explicit Openverse(const ProviderOptions& options)
      : address_(options.address.empty() ? openverse_address : options.address) {}

  std::string name() const { return openverse_name; }

  ImagePage page(const PageRequest& request) const {
    int page = 1;
    std::from_chars(request.cursor.data(), request.cursor.data() + request.cursor.size(), page);
    const std::string url = fmt::format("{}?q={}&page_size={}&page={}", address_, url_escaped(request.term),
                                        std::clamp(request.wanted, 1, page_size), page);
    return detail::openverse_page(detail::ask(url, request.fetch), page);
  }

 private:
  std::string address_;
};

}  // namespace

ImageProvider openverse(const ProviderOptions& options) {
  return Openverse(options);
}

ImagePage detail::openverse_page(std::string_view answer, int page) {
  const Json json = parse_answer(answer, openverse_name);
  const Json& results = member(json, "results");
  if (!results.is_array()) {
    throw Error(ErrorCode::bad_data, "the provider's answer holds no results", {{"provider", openverse_name}},
                "try again later, or another provider: --provider wikimedia");
  }
  ImagePage out;
  for (const Json& result : results) out.results.push_back(result_of(result));
  const int pages = pixels_at(json, "page_count");
  if (page < pages && !results.empty()) out.next = std::to_string(page + 1);
  return out;
}

}  // namespace kindling
