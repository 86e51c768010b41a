#include <kindling/core/error.hpp>
#include <kindling/vision/collect.hpp>

#include "vision/provider_answers.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kindling {

namespace {

constexpr const char* wikimedia_address = "https://commons.wikimedia.org/w/api.php";
constexpr const char* wikimedia_name = "wikimedia";
constexpr int most_a_page = 50;
constexpr std::size_t longest_cursor = 4096;

/// "Brown bear" of "File:Brown bear.jpg".
std::string title_of(const Json& page) {
  std::string title = detail::text_at(page, "title");
  if (const auto colon = title.find(':'); colon != std::string::npos) title.erase(0, colon + 1);
  if (const auto dot = title.rfind('.'); dot != std::string::npos && dot > 0) title.erase(dot);
  return title;
}

std::string metadata_of(const Json& info, std::string_view key) {
  return detail::plain_text(detail::text_at(detail::member(detail::member(info, "extmetadata"), key), "value"));
}

ImageResult result_of(const Json& page, const Json& info, int width) {
  ImageResult result{.url = detail::text_at(info, "url"),
                     .thumbnail = detail::text_at(info, "thumburl"),
                     .title = title_of(page),
                     .author = metadata_of(info, "Artist"),
                     .licence = metadata_of(info, "LicenseShortName"),
                     .licence_url = metadata_of(info, "LicenseUrl"),
                     .source_page = detail::text_at(info, "descriptionurl"),
                     .width = detail::pixels_at(info, "width"),
                     .height = detail::pixels_at(info, "height")};
  if (width > 0 && result.width > width && !result.thumbnail.empty()) {
    result.url = result.thumbnail;
    result.width = detail::pixels_at(info, "thumbwidth");
    result.height = detail::pixels_at(info, "thumbheight");
  }
  return result;
}

/// The members of "continue" as they go back into the next request (MediaWiki's API:Continue).
std::string cursor_of(const Json& json) {
  std::string cursor;
  const Json& more = detail::member(json, "continue");
  if (!more.is_object()) return cursor;
  for (const auto& [key, value] : more.items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.is_number() ? value.dump() : "";
    cursor += fmt::format("&{}={}", url_escaped(key), url_escaped(text));
  }
  return cursor.size() <= longest_cursor ? cursor : std::string();
}

class Wikimedia {
 public:
  explicit Wikimedia(const ProviderOptions& options)
      : address_(options.address.empty() ? wikimedia_address : options.address), width_(options.width) {}

  std::string name() const { return wikimedia_name; }

  ImagePage page(const PageRequest& request) const {
    // Photos are bitmaps; drawings (SVG), sound, video and PDF are of no use.
    std::string url = fmt::format(
        "{}?action=query&format=json&formatversion=2&generator=search&gsrsearch={}&gsrnamespace=6&gsrlimit={}"
        "&prop=imageinfo&iiprop=url%7Csize%7Cmime%7Cextmetadata"
        "&iiextmetadatafilter=Artist%7CLicenseShortName%7CLicenseUrl&iiextmetadatalanguage=en",
        address_, url_escaped("filetype:bitmap " + request.term), std::clamp(request.wanted, 1, most_a_page));
    if (width_ > 0) url += fmt::format("&iiurlwidth={}", width_);
    return detail::wikimedia_page(detail::ask(url + request.cursor, request.fetch), width_);
  }

 private:
  std::string address_;
  int width_;
};

}  // namespace

ImageProvider wikimedia(const ProviderOptions& options) {
  return Wikimedia(options);
}

ImagePage detail::wikimedia_page(std::string_view answer, int width) {
  const Json json = parse_answer(answer, wikimedia_name);
  if (const Json& error = member(json, "error"); error.is_object()) {
    throw Error(ErrorCode::network, "the provider refuses: " + text_at(error, "info"),
                {{"provider", wikimedia_name}, {"code", text_at(error, "code")}}, "try again later");
  }
  if (!json.is_object()) {
    throw Error(ErrorCode::bad_data, "the provider's answer holds no results", {{"provider", wikimedia_name}},
                "try again later, or another provider: --provider openverse");
  }
  // An array in format version 2, an object in version 1; neither is in the order of the search.
  std::vector<const Json*> pages;
  for (const Json& page : member(member(json, "query"), "pages")) pages.push_back(&page);
  std::ranges::stable_sort(pages, {}, [](const Json* page) { return pixels_at(*page, "index"); });
  ImagePage out;
  for (const Json* page : pages) {
    const Json& infos = member(*page, "imageinfo");
    // The information of some pages comes with a later part of the same answer.
    if (!infos.is_array() || infos.empty()) continue;
    ImageResult result = result_of(*page, infos.front(), width);
    if (!result.url.empty()) out.results.push_back(std::move(result));
  }
  out.next = cursor_of(json);
  return out;
}

}  // namespace kindling
