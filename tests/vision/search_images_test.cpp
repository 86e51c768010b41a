#include "vision/provider_answers.hpp"

#include <kindling/core/error.hpp>
#include <kindling/vision/collect.hpp>

#include "core/loopback_server.hpp"
#include "core/temporary_folder.hpp"
#include "vision/provider_samples.hpp"

#include <gmock/gmock.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;
using testing::LoopbackServer;
using testing::openverse_answer;
using testing::parameter;
using testing::Reply;
using testing::Request;
using testing::ScopedVariable;
using testing::TemporaryFolder;

class SearchImages : public ::testing::Test {
 protected:
  static SearchImagesOptions options(const ImageProvider& provider, int max_images = 150) {
    SearchImagesOptions out{.max_images = max_images, .provider = provider};
    out.fetch.backoff = std::chrono::milliseconds(5);
    out.fetch.retries = 2;
    return out;
  }
  static Error error_of(const std::string& term, const SearchImagesOptions& options) {
    try {
      search_images(term, options);
    } catch (const Error& e) {
      return e;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(ErrorCode::internal, "none");
  }
  static std::vector<std::string> urls(int n) {
    std::vector<std::string> out;
    for (int i = 0; i < n; ++i) out.push_back("https://live.example.org/" + std::to_string(i) + ".jpg");
    return out;
  }

  ScopedVariable no_proxy_{"no_proxy", "127.0.0.1"};
  ScopedVariable online_{"KINDLING_OFFLINE", std::nullopt};
};

class OpenverseSearch : public SearchImages {};
class WikimediaSearch : public SearchImages {};
class AddressListSearch : public SearchImages {};

struct Warnings : Listener {
  void message(Level, std::string_view text) override { all += std::string(text) + "\n"; }
  std::string all;
};

TEST_F(OpenverseSearch, TurnsPagesOfTwentyAndReadsWhatTheyHold) {
  LoopbackServer server([&](const Request& request, int) {
    EXPECT_EQ(parameter(request.path, "q"), "grizzly%20bear");
    const int size = std::stoi(parameter(request.path, "page_size"));
    // As the service does without a key.
    if (size > 20) return Reply{.status = 401, .body = R"({"detail":"page_size must be <= 20"})"};
    return Reply{.body = openverse_answer(urls(50), std::stoi(parameter(request.path, "page")), size)};
  });
  const auto found = search_images("grizzly bear", options(openverse({.address = server.url("/v1/images/")}), 45));
  ASSERT_EQ(found.size(), 45u);
  EXPECT_EQ(server.requests().size(), 3u);
  EXPECT_EQ(found[44].url, "https://live.example.org/44.jpg");
  const ImageResult& first = found[0];
  EXPECT_EQ(first.title, "Grizzly Bear 0");
  EXPECT_EQ(first.author, "Ranger, \"Joe\"");
  EXPECT_EQ(first.licence, "CC BY-SA 2.0");
  EXPECT_EQ(found[1].licence, "CC0 1.0");
  EXPECT_EQ(first.licence_url, "https://creativecommons.org/licenses/by-sa/2.0/");
  EXPECT_EQ(first.source_page, "https://www.flickr.com/photos/ranger/0");
  EXPECT_EQ(first.thumbnail, "https://api.openverse.org/v1/images/x/thumb/");
  EXPECT_EQ(first.width, 1024);
  EXPECT_EQ(first.height, 768);
}

TEST_F(OpenverseSearch, EndsWithTheLastPage) {
  LoopbackServer server([&](const Request& request, int) {
    return Reply{.body = openverse_answer(urls(23), std::stoi(parameter(request.path, "page")), 20)};
  });
  EXPECT_EQ(search_images("x", options(openverse({.address = server.url("/")}))).size(), 23u);
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(OpenverseSearch, WaitsWhenToldThatItAsksTooOften) {
  LoopbackServer server([&](const Request&, int number) {
    if (number == 0) {
      return Reply{.status = 429,
                   .body = R"({"detail":"Request was throttled. Expected available in 1 second."})",
                   .headers = {{"Retry-After", "1"}, {"X-RateLimit-Limit-anon_burst", "20/min"}}};
    }
    return Reply{.body = openverse_answer(urls(3), 1, 20)};
  });
  EXPECT_EQ(search_images("x", options(openverse({.address = server.url("/")}))).size(), 3u);
}

TEST_F(OpenverseSearch, KeepsWhatItHasWhenALaterPageFails) {
  LoopbackServer server([&](const Request& request, int number) {
    if (number > 0) return Reply{.status = 401, .body = R"({"detail":"too deep"})"};
    return Reply{.body = openverse_answer(urls(60), std::stoi(parameter(request.path, "page")), 20)};
  });
  auto watched = options(openverse({.address = server.url("/")}));
  const auto warnings = std::make_shared<Warnings>();
  watched.listener = warnings;
  EXPECT_EQ(search_images("x", watched).size(), 20u);
  EXPECT_THAT(warnings->all, HasSubstr("openverse gives no more than 20 results"));
}

TEST_F(OpenverseSearch, FailsWhenTheFirstPageDoes) {
  LoopbackServer server([&](const Request&, int) { return Reply{.status = 503}; });
  EXPECT_EQ(error_of("x", options(openverse({.address = server.url("/")}))).code(), ErrorCode::network);
  LoopbackServer page([&](const Request&, int) { return Reply{.body = "<html>maintenance</html>"}; });
  const Error error = error_of("x", options(openverse({.address = page.url("/")})));
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_THAT(error.what(), HasSubstr("openverse"));
  EXPECT_EQ(error_of(" ", options(openverse())).code(), ErrorCode::usage);
}

TEST_F(OpenverseSearch, SurvivesAnswersOfAnyShape) {
  for (const char* answer :
       {R"({"results": [1, null, "x", [], {"url": 7, "width": "wide", "height": -3, "title": {"a": 1}}]})",
        R"({"results": [{"url": "u", "width": 1e300, "height": 18446744073709551615}], "page_count": -1})"}) {
    const ImagePage page = detail::openverse_page(answer, 1);
    for (const auto& result : page.results) {
      EXPECT_EQ(result.width, 0);
      EXPECT_EQ(result.height, 0);
    }
    EXPECT_EQ(page.next, "");
  }
  EXPECT_THROW(detail::openverse_page("[]", 1), Error);
  EXPECT_THROW(detail::openverse_page("", 1), Error);
}

TEST_F(OpenverseSearch, IsNotLedIntoThePrivateNetwork) {
  LoopbackServer secret([&](const Request&, int) { return Reply{.body = openverse_answer(urls(1), 1, 20)}; });
  LoopbackServer server([&](const Request&, int) {
    return Reply{.status = 302, .headers = {{"Location", secret.url("/")}}};
  });
  EXPECT_EQ(error_of("x", options(openverse({.address = server.url("/")}))).code(), ErrorCode::unsupported);
  EXPECT_TRUE(secret.requests().empty());
}

TEST_F(WikimediaSearch, AsksForScaledBitmapsAndContinuesAsTold) {
  LoopbackServer server([&](const Request& request, int number) {
    const std::string& path = request.path;
    EXPECT_EQ(parameter(path, "generator"), "search");
    EXPECT_EQ(parameter(path, "gsrnamespace"), "6");
    EXPECT_EQ(parameter(path, "gsrsearch"), "filetype%3Abitmap%20black%20bear");
    EXPECT_EQ(parameter(path, "iiurlwidth"), "1280");
    EXPECT_LE(std::stoi(parameter(path, "gsrlimit")), 50);
    Json answer{{"batchcomplete", true}, {"query", {{"pages", Json::array()}}}};
    auto& pages = answer["query"]["pages"];
    if (number == 0) {
      EXPECT_EQ(parameter(path, "gsroffset"), "");
      pages.push_back(testing::wikimedia_page_json(2, "File:Second.jpg", "https://upload.example.org/2.jpg"));
      pages.push_back(testing::wikimedia_page_json(1, "File:First bear.jpg", "https://upload.example.org/1.jpg"));
      pages.push_back({{"pageid", 9}, {"ns", 6}, {"title", "File:Later.jpg"}, {"index", 3}});
      answer["continue"] = {{"gsroffset", 50}, {"continue", "gsroffset||"}};
    } else {
      EXPECT_EQ(parameter(path, "gsroffset"), "50");
      EXPECT_EQ(parameter(path, "continue"), "gsroffset%7C%7C");
      pages.push_back(testing::wikimedia_page_json(3, "File:Third.jpg", "https://upload.example.org/3.jpg"));
    }
    return Reply{.body = answer.dump()};
  });
  const auto found = search_images("black bear", options(wikimedia({.address = server.url("/w/api.php")})));
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(server.requests().size(), 2u);
  EXPECT_EQ(found[0].title, "First bear");
  EXPECT_EQ(found[0].url, "https://upload.example.org/1.jpg/1280px.jpg");
  EXPECT_EQ(found[0].width, 1280);
  EXPECT_EQ(found[0].author, "Anna & Søn");
  EXPECT_EQ(found[0].licence, "CC BY-SA 4.0");
  EXPECT_EQ(found[0].licence_url, "https://creativecommons.org/licenses/by-sa/4.0");
  EXPECT_EQ(found[0].source_page, "https://commons.wikimedia.org/wiki/File:X.jpg");
  EXPECT_EQ(found[2].title, "Third");
}

TEST_F(WikimediaSearch, TellsTheServicesOwnError) {
  LoopbackServer server([&](const Request&, int) {
    return Reply{.body = R"({"error":{"code":"ratelimited","info":"You've exceeded your rate limit."}})"};
  });
  const Error error = error_of("x", options(wikimedia({.address = server.url("/")})));
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_THAT(error.message(), HasSubstr("You've exceeded your rate limit."));
}

TEST_F(WikimediaSearch, EndsWhenTheServiceTurnsInACircle) {
  LoopbackServer server([&](const Request&, int) {
    Json answer{{"query", {{"pages", Json::array({testing::wikimedia_page_json(1, "File:A.jpg", "https://a/1")})}}},
                {"continue", {{"gsroffset", 50}}}};
    return Reply{.body = answer.dump()};
  });
  EXPECT_EQ(search_images("x", options(wikimedia({.address = server.url("/")}))).size(), 1u);
  EXPECT_LE(server.requests().size(), 4u);
}

TEST_F(WikimediaSearch, FindsNothingInAnEmptyAnswer) {
  EXPECT_TRUE(detail::wikimedia_page(R"({"batchcomplete":true})", 1280).results.empty());
  EXPECT_TRUE(detail::wikimedia_page(R"({"query":{"pages":{"1":{"title":"File:A.png"}}}})", 0).results.empty());
  EXPECT_THROW(detail::wikimedia_page("7", 1280), Error);
}

TEST_F(AddressListSearch, TakesALineAnAddressOrACsvWithTerms) {
  const TemporaryFolder folder;
  write_file(folder / "plain.txt", "# bears\nhttps://a/1.jpg\r\n\n  https://a/2.jpg \n");
  const auto plain = search_images("x", options(address_list(folder / "plain.txt")));
  ASSERT_EQ(plain.size(), 2u);
  EXPECT_EQ(plain[1].url, "https://a/2.jpg");
  write_file(folder / "list.csv", "term,url,author,licence\nbear,https://a/1,Ann,CC0\ncat,https://a/2,,\n");
  const auto bears = search_images("bear", options(image_provider_from("list:" + (folder / "list.csv").string())));
  ASSERT_EQ(bears.size(), 1u);
  EXPECT_EQ(bears[0].author, "Ann");
  EXPECT_EQ(bears[0].licence, "CC0");
  EXPECT_EQ(error_of("dog", options(address_list(folder / "list.csv"))).code(), ErrorCode::bad_data);
  EXPECT_EQ(error_of("dog", options(address_list(folder / "none.csv"))).code(), ErrorCode::not_found);
}

TEST_F(SearchImages, AnyTypeWithTheMembersIsAProvider) {
  struct Mine {
    std::string name() const { return "mine"; }
    ImagePage page(const PageRequest& request) const {
      return {{{.url = "https://mine/" + request.term + request.cursor}}, request.cursor + "+"};
    }
  };
  const auto found = search_images("a", options(Mine{}, 3));
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[2].url, "https://mine/a++");
}

TEST_F(SearchImages, UnknownProvidersAreNamed) {
  try {
    image_provider_from("openvers");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::usage);
    EXPECT_THAT(e.message(), HasSubstr("did you mean 'openverse'?"));
    EXPECT_THAT(e.hint(), HasSubstr("list:FILE"));
  }
}

TEST(PlainText, HasNoTagsAndResolvedEntities) {
  EXPECT_EQ(detail::plain_text("<b>Anna</b>&nbsp;&lt;x&gt; &#x1F43B;&#233; &unknown; &"),
            "Anna <x> 🐻é &unknown; &");
  EXPECT_EQ(detail::plain_text("a<script"), "a");
  EXPECT_EQ(detail::plain_text("  a \n\t b  "), "a b");
  EXPECT_EQ(detail::plain_text("&#0;&#xD800;&#x110000;"), "&#0;&#xD800;&#x110000;");
}

}  // namespace
}  // namespace kindling
