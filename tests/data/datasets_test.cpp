#include <kindling/core/error.hpp>
#include <kindling/data/datasets.hpp>

#include "core/archive_writer.hpp"
#include "core/loopback_server.hpp"
#include "core/md5.hpp"
#include "core/temporary_folder.hpp"

#include <set>

#include <gmock/gmock.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;
using testing::LoopbackServer;
using testing::ranged;
using testing::Reply;
using testing::Request;
using testing::ScopedVariable;
using testing::TemporaryFolder;

class UntarData : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_archive(folder_ / "pets.tgz", {{"pets-v2/images/a.jpg", "cat"}, {"pets-v2/readme", "hi"}});
    bytes_ = read_text(folder_ / "pets.tgz");
  }
  /// The row of a table for the archive at an address.
  DataUrl entry(const std::string& url) {
    url_ = url;
    md5_ = detail::md5_of_start(folder_ / "pets.tgz");
    return {.name = "pets", .url = url_, .bytes = bytes_.size(), .md5_start = md5_, .about = ""};
  }
  static Error error_of(const DataUrl& entry, const UntarOptions& options = {}) {
    try {
      untar_data(entry, options);
    } catch (const Error& e) {
      return e;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(ErrorCode::internal, "none");
  }
  std::size_t in_data() const {
    std::error_code missing;
    std::size_t count = 0;
    for (const auto& item : fs::directory_iterator(home_ / "data", missing)) count += item.exists();
    return count;
  }

  TemporaryFolder folder_;
  fs::path home_ = folder_ / "home";
  std::string bytes_, url_, md5_;
  ScopedVariable home_variable_{"KINDLING_HOME", home_.string()};
  ScopedVariable no_mirror_{"KINDLING_MIRROR", std::nullopt};
  ScopedVariable online_{"KINDLING_OFFLINE", std::nullopt};
  ScopedVariable no_proxy_{"no_proxy", "127.0.0.1"};
};

TEST_F(UntarData, FetchesOnceAndNamesTheOnlyFolderAfterTheArchive) {
  LoopbackServer server([&](const Request& request, int) { return ranged(bytes_, request); });
  const fs::path path = untar_data(entry(server.url("/x/pets.tgz")));
  EXPECT_EQ(path, home_ / "data/pets");
  EXPECT_EQ(read_text(path / "images/a.jpg"), "cat");
  EXPECT_TRUE(fs::exists(home_ / "archive/pets.tgz"));
  EXPECT_EQ(untar_data(entry(server.url("/x/pets.tgz"))), path);
  EXPECT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(in_data(), 1u);
}

TEST_F(UntarData, SeveralEntriesBecomeTheFolderItself) {
  testing::write_archive(folder_ / "two.zip", {{"a.csv", "1"}, {"b.csv", "2"}});
  const fs::path path = untar_data("file://" + (folder_ / "two.zip").string());
  EXPECT_EQ(path, home_ / "data/two");
  EXPECT_EQ(read_text(path / "b.csv"), "2");
  testing::write_archive(folder_ / "one.tar", {{"only.csv", "1"}});
  EXPECT_EQ(read_text(untar_data("file://" + (folder_ / "one.tar").string()) / "only.csv"), "1");
}

TEST_F(UntarData, UsesAGoodArchiveThatIsThereAndReplacesABadOne) {
  const ScopedVariable offline("KINDLING_OFFLINE", "1");
  fs::create_directories(home_ / "archive");
  fs::copy_file(folder_ / "pets.tgz", home_ / "archive/pets.tgz");
  EXPECT_TRUE(fs::exists(untar_data(entry("http://127.0.0.1:9/pets.tgz")) / "readme"));
  fs::remove_all(home_ / "data");
  write_file(home_ / "archive/pets.tgz", "stale");
  EXPECT_EQ(error_of(entry("http://127.0.0.1:9/pets.tgz")).code(), ErrorCode::offline);
}

TEST_F(UntarData, AsksTheMirrorFolderFirst) {
  const ScopedVariable offline("KINDLING_OFFLINE", "1");
  const ScopedVariable mirror("KINDLING_MIRROR", folder_.path().string());
  EXPECT_TRUE(fs::exists(untar_data(entry("http://127.0.0.1:9/deep/pets.tgz")) / "images/a.jpg"));
}

TEST_F(UntarData, AMirrorFolderThatIsMissingIsSaid) {
  const ScopedVariable mirror("KINDLING_MIRROR", "/no/such/folder");
  const Error error = error_of(entry("http://127.0.0.1:9/pets.tgz"));
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_THAT(error.message(), HasSubstr("KINDLING_MIRROR names a folder that does not exist"));
}

TEST_F(UntarData, WrongBytesAreNotUnpacked) {
  std::string wrong = bytes_;
  wrong[wrong.size() / 2] ^= 1;
  LoopbackServer server([&](const Request& request, int) { return ranged(wrong, request); });
  const Error error = error_of(entry(server.url("/pets.tgz")));
  EXPECT_EQ(error.code(), ErrorCode::checksum);
  EXPECT_EQ(error.fact("data set"), "pets");
  EXPECT_FALSE(fs::exists(home_ / "archive/pets.tgz"));
  EXPECT_EQ(in_data(), 0u);
  DataUrl unchecked = entry(server.url("/pets.tgz"));
  unchecked.bytes = 0;
  unchecked.md5_start = "";
  EXPECT_EQ(error_of(unchecked, {.sha256 = std::string(64, 'a')}).code(), ErrorCode::checksum);
}

TEST_F(UntarData, AHostileArchiveLeavesNothingBehind) {
  testing::write_archive(folder_ / "evil.tgz", {{"good/a", "a"}, {"../../escaped", "evil"}});
  DataUrl evil = entry("file://" + (folder_ / "evil.tgz").string());
  evil.bytes = 0;
  evil.md5_start = "";
  EXPECT_EQ(error_of(evil).code(), ErrorCode::bad_data);
  EXPECT_EQ(in_data(), 0u);
  EXPECT_FALSE(fs::exists(home_ / "escaped"));
}

TEST_F(UntarData, GoesOnWhereADownloadBroke) {
  std::atomic<bool> bad{true};
  LoopbackServer server([&](const Request& request, int) {
    Reply reply = ranged(bytes_, request);
    if (bad && request.header("range").empty()) reply.cut_after = 50;
    return reply;
  });
  untar_data(entry(server.url("/pets.tgz")));
  EXPECT_EQ(server.requests().back().header("range"), "bytes=50-");
}

TEST_F(UntarData, ForceReplacesTheFolderOnlyByAGoodOne) {
  std::string body = bytes_;
  LoopbackServer server([&](const Request& request, int) { return ranged(body, request); });
  const fs::path path = untar_data(entry(server.url("/pets.tgz")));
  write_file(path / "mine.txt", "old");
  body = "broken";
  EXPECT_EQ(error_of(entry(server.url("/pets.tgz")), {.force_download = true}).code(), ErrorCode::checksum);
  EXPECT_EQ(read_text(path / "mine.txt"), "old");
  body = bytes_;
  untar_data(entry(server.url("/pets.tgz")), {.force_download = true});
  EXPECT_FALSE(fs::exists(path / "mine.txt"));
  EXPECT_TRUE(fs::exists(path / "images/a.jpg"));
  EXPECT_EQ(in_data(), 1u);
}

TEST_F(UntarData, TakesOtherFoldersAndRefusesAddressesOfNoFile) {
  const UntarOptions options{.archive = folder_ / "zips", .data = folder_ / "sets"};
  EXPECT_EQ(untar_data("file://" + (folder_ / "pets.tgz").string(), options), folder_ / "sets/pets");
  EXPECT_TRUE(fs::exists(folder_ / "zips/pets.tgz"));
  for (const char* url : {"https://host/", "https://host/..", "https://host/a/%2e%2e"}) {
    try {
      untar_data(url);
      ADD_FAILURE() << url;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::usage) << url;
    }
  }
}

TEST(Urls, AreFastaisTable) {
  EXPECT_EQ(urls::pets.url, "https://s3.amazonaws.com/fast-ai-imageclas/oxford-iiit-pet.tgz");
  EXPECT_EQ(urls::pets.bytes, 811706944u);
  EXPECT_EQ(urls::mnist_sample.md5_start, "2dbc7ec6f9259b583af0072c55816a88");
  EXPECT_EQ(urls::ml_100k.url, "https://files.grouplens.org/datasets/movielens/ml-100k.zip");
  std::set<std::string_view> names, addresses;
  for (const DataUrl& entry : detail::data_urls) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_TRUE(addresses.insert(entry.url).second) << entry.url;
    EXPECT_TRUE(entry.url.starts_with("https://")) << entry.url;
    EXPECT_TRUE(entry.md5_start.empty() || entry.md5_start.size() == 32) << entry.name;
    EXPECT_EQ(entry.md5_start.empty(), entry.bytes == 0) << entry.name;
    EXPECT_FALSE(entry.about.empty());
  }
}

TEST(Urls, AreFoundByNameAndNamesNearOnesElse) {
  EXPECT_EQ(find_data_url("pets").url, urls::pets.url);
  try {
    find_data_url("mnist_smaple");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::not_found);
    EXPECT_THAT(e.message(), HasSubstr("did you mean 'mnist_sample'?"));
  }
}

}  // namespace
}  // namespace kindling
