#pragma once
/// Answers as the providers' public documentation describes them.

#include <kindling/core/json.hpp>

#include <string>
#include <vector>

namespace kindling::testing {

/// One result of Openverse's `/v1/images/`.
inline Json openverse_result(int number, const std::string& url) {
  return {{"id", "4bc43a04-ef46-4544-a0c1-63c63f56e2" + std::to_string(10 + number)},
          {"title", "Grizzly Bear " + std::to_string(number)},
          {"indexed_on", "2020-01-01T00:00:00Z"},
          {"foreign_landing_url", "https://www.flickr.com/photos/ranger/" + std::to_string(number)},
          {"url", url},
          {"creator", "Ranger, \"Joe\""},
          {"creator_url", "https://www.flickr.com/photos/ranger"},
          {"license", number % 2 == 0 ? "by-sa" : "cc0"},
          {"license_version", number % 2 == 0 ? "2.0" : "1.0"},
          {"license_url", "https://creativecommons.org/licenses/by-sa/2.0/"},
          {"provider", "flickr"},
          {"source", "flickr"},
          {"category", nullptr},
          {"filesize", nullptr},
          {"filetype", "jpg"},
          {"tags", Json::array()},
          {"attribution", "…"},
          {"mature", false},
          {"height", 768},
          {"width", 1024},
          {"thumbnail", "https://api.openverse.org/v1/images/x/thumb/"},
          {"detail_url", "https://api.openverse.org/v1/images/x/"}};
}

/// A page of Openverse: `urls` are the results of all pages.
inline std::string openverse_answer(const std::vector<std::string>& urls, int page, int page_size) {
  Json results = Json::array();
  const int first = (page - 1) * page_size;
  for (int i = first; i < first + page_size && i < static_cast<int>(urls.size()); ++i)
    results.push_back(openverse_result(i, urls[i]));
  const int pages = (static_cast<int>(urls.size()) + page_size - 1) / page_size;
  return Json{{"result_count", urls.size()},
              {"page_count", pages},
              {"page_size", page_size},
              {"page", page},
              {"results", results}}
      .dump();
}

/// The value of a query's parameter, still escaped; empty where it is missing.
inline std::string parameter(const std::string& path, const std::string& name) {
  for (const char start : {'?', '&'}) {
    const auto at = path.find(start + name + "=");
    if (at == std::string::npos) continue;
    const auto from = at + name.size() + 2;
    return path.substr(from, path.find('&', from) - from);
  }
  return "";
}

/// One page of MediaWiki's `action=query&generator=search&prop=imageinfo` in format version 2.
inline Json wikimedia_page_json(int index, const std::string& title, const std::string& url) {
  return {{"pageid", 1000 + index},
          {"ns", 6},
          {"title", title},
          {"index", index},
          {"imagerepository", "local"},
          {"imageinfo",
           Json::array({{{"size", 4000000},
             {"width", 4000},
             {"height", 3000},
             {"thumburl", url + "/1280px.jpg"},
             {"thumbwidth", 1280},
             {"thumbheight", 960},
             {"responsiveUrls", Json::object()},
             {"url", url},
             {"descriptionurl", "https://commons.wikimedia.org/wiki/File:X.jpg"},
             {"descriptionshorturl", "https://commons.wikimedia.org/w/index.php?curid=1"},
             {"mime", "image/jpeg"},
             {"extmetadata",
              {{"Artist",
                {{"value", "<a href=\"//commons.wikimedia.org/wiki/User:Anna\" title=\"User:Anna\">Anna &amp; "
                           "S&#248;n</a>"},
                 {"source", "commons-desc-page"}}},
               {"LicenseShortName", {{"value", "CC BY-SA 4.0"}, {"source", "commons-desc-page"}}},
               {"LicenseUrl",
                {{"value", "https://creativecommons.org/licenses/by-sa/4.0"}, {"source", "commons-desc-page"}}}}}}})}};
}

}  // namespace kindling::testing
