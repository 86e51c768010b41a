#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/vision/codec.hpp>
#include <kindling/vision/collect.hpp>

#include "core/csv.hpp"
#include "core/loopback_server.hpp"
#include "core/temporary_folder.hpp"

#include <map>
#include <mutex>

#include <gmock/gmock.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;
using testing::LoopbackServer;
using testing::Reply;
using testing::Request;
using testing::ScopedVariable;
using testing::TemporaryFolder;

/// A small picture of its own for each number.
Image picture(int number, int width = 24, int height = 16) {
  Image image({width, height}, 3);
  for (std::size_t i = 0; i < image.bytes(); ++i)
    image.data()[i] = static_cast<std::uint8_t>(i * 7 + static_cast<std::size_t>(number) * 31);
  return image;
}

std::string text_of(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

std::string png(int number) {
  return text_of(encode_png(picture(number)));
}

/// The last number in a path: 12 of "/12.jpg".
int number_in(const std::string& path) {
  return std::stoi(path.substr(path.rfind('/') + 1));
}

class Collecting : public ::testing::Test {
 protected:
  DownloadImagesOptions quick() const {
    return {.stall_timeout = std::chrono::seconds(1),
            .timeout = std::chrono::seconds(3),
            .retries = 1,
            .backoff = std::chrono::milliseconds(5),
            .allow_private = true};
  }
  static std::vector<ImageResult> results(const LoopbackServer& server, int n) {
    std::vector<ImageResult> out;
    for (int i = 0; i < n; ++i) {
      out.push_back({.url = server.url("/" + std::to_string(i)),
                     .title = "Bear " + std::to_string(i),
                     .author = "Ann, \"the\" Ranger",
                     .licence = "CC0 1.0",
                     .licence_url = "https://creativecommons.org/publicdomain/zero/1.0/",
                     .source_page = "https://pages.example.org/" + std::to_string(i)});
    }
    return out;
  }
  /// Rows of the CSV by address: column to field.
  std::map<std::string, std::map<std::string, std::string>> rows() const {
    return rows_of(folder_ / "bears/sources.csv");
  }
  static std::map<std::string, std::map<std::string, std::string>> rows_of(const fs::path& csv) {
    const auto records = detail::parse_csv(read_text(csv), csv.string());
    std::map<std::string, std::map<std::string, std::string>> out;
    for (std::size_t i = 1; i < records.size(); ++i) {
      std::map<std::string, std::string> row;
      for (std::size_t c = 0; c < records[0].fields.size(); ++c) row[records[0].fields[c]] = records[i].fields.at(c);
      out[row["url"]] = row;
    }
    return out;
  }
  /// Every file in the folder but the CSV is a picture, and has a row that says "ok".
  void expect_clean(const fs::path& folder, std::size_t pictures) const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".csv") continue;
      EXPECT_NO_THROW(open_image(entry.path())) << entry.path();
      ++count;
    }
    EXPECT_EQ(count, pictures);
  }
  Error error_of(const std::vector<ImageResult>& found, const DownloadImagesOptions& options) const {
    try {
      download_images(folder_ / "bears", found, options);
    } catch (const Error& e) {
      return e;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(ErrorCode::internal, "none");
  }

  TemporaryFolder folder_;
  ScopedVariable no_proxy_{"no_proxy", "127.0.0.1,localhost"};
  ScopedVariable online_{"KINDLING_OFFLINE", std::nullopt};
};

class DownloadImages : public Collecting {};
class DownloadImagesAgain : public Collecting {};

TEST_F(DownloadImages, KeepsPicturesUnderPortableNamesWithTheEndingOfTheirContent) {
  LoopbackServer server([](const Request& request, int) {
    const int number = number_in(request.path);
    return Reply{.body = number == 0 ? text_of(encode_jpeg(picture(0))) : png(number),
                 .headers = {{"Content-Type", "image/gif"}}};
  });
  auto found = results(server, 3);
  found[0].title = "../../etc: a \"Bear\"\x1b";
  found[2].title = "медведь";
  const auto report = download_images(folder_ / "bears", found, quick());
  EXPECT_EQ(report.count(CollectStatus::ok), 3u);
  expect_clean(folder_ / "bears", 3);
  EXPECT_THAT(report.images[0].file.string(), ::testing::MatchesRegex("etc-a-bear-[0-9a-f]+\\.jpg"));
  EXPECT_THAT(report.images[1].file.string(), ::testing::MatchesRegex("bear-1-[0-9a-f]+\\.png"));
  EXPECT_THAT(report.images[2].file.string(), ::testing::MatchesRegex("[0-9a-f]+\\.png"));
  EXPECT_EQ(read_text(folder_ / "bears" / report.images[1].file), png(1));
  EXPECT_EQ(folder_.entries(), 1u);
}

TEST_F(DownloadImages, WritesWhereEachCameFrom) {
  LoopbackServer server([](const Request& request, int) { return Reply{.body = png(number_in(request.path))}; });
  auto found = results(server, 2);
  found[1].title = "=HYPERLINK(\"http://evil\")";
  const auto report = download_images(folder_ / "bears", found, quick());
  EXPECT_THAT(read_text(folder_ / "bears/sources.csv"),
              ::testing::StartsWith("file,url,source_page,title,author,licence,licence_url,sha256,status,reason\n"));
  auto row = rows().at(found[0].url);
  EXPECT_EQ(row["file"], report.images[0].file.string());
  EXPECT_EQ(row["source_page"], "https://pages.example.org/0");
  EXPECT_EQ(row["title"], "Bear 0");
  EXPECT_EQ(row["author"], "Ann, \"the\" Ranger");
  EXPECT_EQ(row["licence"], "CC0 1.0");
  EXPECT_EQ(row["licence_url"], "https://creativecommons.org/publicdomain/zero/1.0/");
  EXPECT_EQ(row["sha256"], sha256_of(folder_ / "bears" / row["file"]));
  EXPECT_EQ(row["status"], "ok");
  // No spreadsheet runs a stranger's title.
  EXPECT_EQ(rows().at(found[1].url)["title"], "'=HYPERLINK(\"http://evil\")");
}

TEST_F(DownloadImages, LeavesOutWhatIsNoPictureAndSaysWhy) {
  const std::string whole = text_of(encode_jpeg(picture(1, 200, 100)));
  LoopbackServer server([&](const Request& request, int) -> Reply {
    switch (number_in(request.path)) {
      case 0:
        return {.body = "<html><body>Please sign in</body></html>", .headers = {{"Content-Type", "image/jpeg"}}};
      case 1:
        return {.body = whole.substr(0, whole.size() / 2)};
      case 2:
        return {.body = whole, .claimed_length = whole.size() / 2};
      case 3:
        return {};
      case 4:
        return {.status = 404, .body = whole};
      case 5:
        return {.body = whole, .claimed_length = whole.size() * 2};
      case 6:
        return {.body = whole, .cut_after = 10, .stalls = true};
      case 7:
        return {.status = 302, .headers = {{"Location", "file:///etc/passwd"}}};
      default:
        return {.body = whole};
    }
  });
  const auto report = download_images(folder_ / "bears", results(server, 9), quick());
  EXPECT_EQ(report.count(CollectStatus::ok), 1u);
  EXPECT_EQ(report.count(CollectStatus::unreadable), 4u);
  EXPECT_EQ(report.count(CollectStatus::failed), 3u);
  EXPECT_EQ(report.count(CollectStatus::refused), 1u);
  EXPECT_THAT(report.images[0].reason, HasSubstr("HTML"));
  EXPECT_THAT(report.images[4].reason, HasSubstr("HTTP 404"));
  EXPECT_THAT(report.images[6].reason, HasSubstr("nothing arrived for 1.0 s"));
  EXPECT_EQ(report.images[7].status, CollectStatus::refused);
  expect_clean(folder_ / "bears", 1);
  EXPECT_EQ(rows().size(), 9u);
}

TEST_F(DownloadImages, RefusesWhatIsTooLargeInBytesOrPixels) {
  const std::string noise(100'000, 'x');
  LoopbackServer server([&](const Request& request, int) -> Reply {
    switch (number_in(request.path)) {
      case 0:
        return {.body = noise, .claimed_length = std::size_t{1} << 40};
      case 1:
        return {.body = noise, .states_length = false, .repeat = 1'000'000};
      default:
        return {.body = text_of(encode_png(picture(2, 300, 300)))};
    }
  });
  auto small = quick();
  small.max_bytes = 500'000;
  small.max_pixels = 200 * 200;
  const auto report = download_images(folder_ / "bears", results(server, 3), small);
  EXPECT_EQ(report.count(CollectStatus::refused), 3u);
  expect_clean(folder_ / "bears", 0);
}

TEST_F(DownloadImages, RefusesThisMachineAndRedirectsThere) {
  LoopbackServer secret([](const Request&, int) { return Reply{.body = png(1)}; });
  LoopbackServer outside([&](const Request& request, int) {
    if (number_in(request.path) == 0) return Reply{.body = png(0)};
    return Reply{.status = 302, .headers = {{"Location", secret.url("/1")}}};
  });
  auto careful = quick();
  careful.allow_private = false;
  const std::string host = outside.url("");
  careful.allow_hosts = {host.substr(host.find("//") + 2)};
  auto found = results(outside, 2);
  found.push_back({.url = secret.url("/3")});
  found.push_back({.url = "file:///etc/passwd"});
  found.push_back({.url = "no address"});
  const auto report = download_images(folder_ / "bears", found, careful);
  EXPECT_EQ(report.images[0].status, CollectStatus::ok);
  for (int i = 1; i < 5; ++i) EXPECT_EQ(report.images[i].status, CollectStatus::refused) << i;
  EXPECT_THAT(report.images[1].reason, HasSubstr("private network"));
  EXPECT_TRUE(secret.requests().empty());
}

TEST_F(DownloadImages, DropsTheSameBytesUnderAnotherAddress) {
  LoopbackServer server([](const Request& request, int) { return Reply{.body = png(number_in(request.path) % 3)}; });
  auto found = results(server, 9);
  found.push_back(found[0]);
  const auto report = download_images(folder_ / "bears", found, quick());
  EXPECT_EQ(report.images.size(), 9u);
  EXPECT_EQ(report.count(CollectStatus::ok), 3u);
  EXPECT_EQ(report.count(CollectStatus::duplicate), 6u);
  expect_clean(folder_ / "bears", 3);
  // One list for two folders finds them across both.
  auto options = quick();
  options.sources = folder_ / "all/sources.csv";
  options.parallel = 1;
  download_images(folder_ / "all/grizzly", results(server, 2), options);
  auto others = results(server, 6);
  const auto second = download_images(folder_ / "all/black", others, options);
  EXPECT_EQ(second.count(CollectStatus::ok), 1u);
  EXPECT_THAT(second.images[0].reason, HasSubstr("grizzly/"));
  EXPECT_THAT(second.images[3].reason, HasSubstr("grizzly/"));
  EXPECT_EQ(rows_of(folder_ / "all/sources.csv").at(others[2].url)["file"].substr(0, 6), "black/");
}

TEST_F(DownloadImages, FetchesManyAtATimeButNoMoreThanAllowed) {
  std::atomic<int> open{0}, most{0};
  LoopbackServer server([&](const Request& request, int) {
    const int now = ++open;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    --open;
    return Reply{.body = png(number_in(request.path))};
  });
  auto four = quick();
  four.parallel = 4;
  EXPECT_EQ(download_images(folder_ / "bears", results(server, 16), four).count(CollectStatus::ok), 16u);
  EXPECT_GT(most, 1);
  EXPECT_LE(most, 4);
  four.parallel = 0;
  EXPECT_EQ(error_of(results(server, 1), four).code(), ErrorCode::usage);
}

TEST_F(DownloadImages, TriesAgainAfterBusyAndBrokenAnswers) {
  std::mutex mutex;
  std::map<std::string, int> asked;
  LoopbackServer server([&](const Request& request, int) {
    const std::lock_guard lock(mutex);
    const int before = asked[request.path]++;
    Reply reply{.body = png(number_in(request.path))};
    if (before > 0) return reply;
    if (number_in(request.path) == 0) return Reply{.status = 429, .headers = {{"Retry-After", "0"}}};
    if (number_in(request.path) == 1) return Reply{.status = 500};
    reply.cut_after = 5;
    return reply;
  });
  EXPECT_EQ(download_images(folder_ / "bears", results(server, 3), quick()).count(CollectStatus::ok), 3u);
}

TEST_F(DownloadImages, ScalesToTheWantedSize) {
  LoopbackServer server([](const Request& request, int) {
    const bool jpeg = number_in(request.path) == 0;
    return Reply{.body = text_of(jpeg ? encode_jpeg(picture(0, 640, 427)) : encode_png(picture(1, 100, 300)))};
  });
  auto small = quick();
  small.max_size = 128;
  const auto report = download_images(folder_ / "bears", results(server, 2), small);
  EXPECT_EQ(open_image(folder_ / "bears" / report.images[0].file).size(), (Size{128, 85}));
  EXPECT_EQ(open_image(folder_ / "bears" / report.images[1].file).size(), (Size{42, 128}));
  // The digest is of what came, so that it is known again at any size.
  EXPECT_EQ(report.images[0].sha256, sha256_of(std::span<const std::uint8_t>(encode_jpeg(picture(0, 640, 427)))));
}

TEST_F(DownloadImages, OfflineIsOneErrorAndNotOneForEach) {
  const ScopedVariable offline("KINDLING_OFFLINE", "1");
  EXPECT_EQ(error_of({{.url = "http://127.0.0.1:9/1"}}, quick()).code(), ErrorCode::offline);
}

TEST_F(DownloadImagesAgain, FetchesOnlyWhatIsMissing) {
  std::atomic<bool> bad{true};
  LoopbackServer server([&](const Request& request, int) {
    const int number = number_in(request.path);
    if (bad && number >= 4) return Reply{.status = 503};
    return Reply{.body = number == 1 ? "text" : png(number)};
  });
  const auto first = download_images(folder_ / "bears", results(server, 6), quick());
  EXPECT_EQ(first.count(CollectStatus::ok), 3u);
  EXPECT_EQ(first.count(CollectStatus::failed), 2u);
  bad = false;
  const auto before = server.requests().size();
  const auto second = download_images(folder_ / "bears", results(server, 6), quick());
  EXPECT_EQ(second.count(CollectStatus::ok), 5u);
  EXPECT_EQ(second.count(CollectStatus::unreadable), 1u);
  EXPECT_TRUE(second.images[0].was_there);
  EXPECT_EQ(server.requests().size() - before, 2u);
  EXPECT_EQ(rows().size(), 6u);
  expect_clean(folder_ / "bears", 5);
}

TEST_F(DownloadImagesAgain, AfterAnInterruptGoesOnAndEndsComplete) {
  LoopbackServer server([](const Request& request, int number) {
    if (number == 7) request_interrupt();
    return Reply{.body = png(number_in(request.path))};
  });
  auto slow = quick();
  slow.parallel = 2;
  const Error error = error_of(results(server, 20), slow);
  clear_interrupt();
  EXPECT_EQ(error.code(), ErrorCode::interrupted);
  const auto noted = rows();
  EXPECT_GE(noted.size(), 5u);
  EXPECT_LT(noted.size(), 20u);
  expect_clean(folder_ / "bears", noted.size());
  const auto before = server.requests().size();
  const auto report = download_images(folder_ / "bears", results(server, 20), slow);
  EXPECT_EQ(report.count(CollectStatus::ok), 20u);
  EXPECT_EQ(server.requests().size() - before, 20 - noted.size());
  expect_clean(folder_ / "bears", 20);
  EXPECT_EQ(rows().size(), 20u);
}

TEST_F(DownloadImagesAgain, DoesNotBringBackWhatSomebodyTookOut) {
  LoopbackServer server([](const Request& request, int) { return Reply{.body = png(number_in(request.path))}; });
  const auto found = results(server, 3);
  const auto first = download_images(folder_ / "bears", found, quick());
  const fs::path taken = folder_ / "bears" / first.images[1].file;
  fs::remove(taken);
  const auto second = download_images(folder_ / "bears", found, quick());
  EXPECT_EQ(second.images[1].status, CollectStatus::removed);
  EXPECT_FALSE(fs::exists(taken));
  EXPECT_EQ(rows().at(found[1].url)["status"], "removed");
  auto again = quick();
  again.again = true;
  EXPECT_EQ(download_images(folder_ / "bears", found, again).count(CollectStatus::ok), 3u);
  EXPECT_TRUE(fs::exists(taken));
  EXPECT_EQ(rows().at(found[1].url)["status"], "ok");
}

TEST_F(DownloadImagesAgain, KeepsColumnsAndFilesThatOthersAdded) {
  LoopbackServer server([](const Request& request, int) { return Reply{.body = png(number_in(request.path))}; });
  download_images(folder_ / "bears", results(server, 1), quick());
  const fs::path csv = folder_ / "bears/sources.csv";
  std::string text = read_text(csv);
  text.replace(text.find("reason\n"), 7, "reason,note\n");
  text.pop_back();
  write_file(csv, text + ",my favourite\n");
  write_file(folder_ / "bears/mine.txt", "dear");
  download_images(folder_ / "bears", results(server, 2), quick());
  EXPECT_EQ(rows().at(server.url("/0"))["note"], "my favourite");
  EXPECT_EQ(rows().at(server.url("/1"))["note"], "");
  EXPECT_EQ(read_text(folder_ / "bears/mine.txt"), "dear");
}

TEST_F(DownloadImagesAgain, DoesNotWriteOverAForeignCsv) {
  LoopbackServer server([](const Request& request, int) { return Reply{.body = png(number_in(request.path))}; });
  fs::create_directories(folder_ / "bears");
  for (const char* text : {"my,own\n1,2\n",
                           "file,url,source_page,title,author,licence,licence_url,sha256,status,reason\n"
                           "../../x.jpg,u,,,,,,,ok,\n",
                           "file,url,source_page,title,author,licence,licence_url,sha256,status,reason\n"
                           "x.jpg,u,,,,,,,fine,\n"}) {
    write_file(folder_ / "bears/sources.csv", text);
    const Error error = error_of(results(server, 1), quick());
    EXPECT_EQ(error.code(), ErrorCode::bad_data) << text;
    EXPECT_THAT(error.message(), HasSubstr("not a list of sources that kindling wrote"));
    EXPECT_EQ(read_text(folder_ / "bears/sources.csv"), text);
  }
  EXPECT_TRUE(server.requests().empty());
}

}  // namespace
}  // namespace kindling
