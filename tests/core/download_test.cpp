#include <kindling/core/download.hpp>
#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>

#include "core/loopback_server.hpp"
#include "core/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LoopbackServer;
using ::testing::Not;
using testing::ranged;
using testing::Reply;
using testing::Request;
using testing::ScopedVariable;
using testing::TemporaryFolder;

/// Records what it is told.
class Recorder : public Listener {
 public:
  void progress(const Progress& p) override {
    const std::lock_guard lock(mutex_);
    updates_.push_back(p);
  }
  void message(Level, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    messages_ += std::string(text) + "\n";
  }
  std::vector<Progress> updates() const {
    const std::lock_guard lock(mutex_);
    return updates_;
  }
  std::string messages() const {
    const std::lock_guard lock(mutex_);
    return messages_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Progress> updates_;
  std::string messages_;
};

std::string sha256_of_text(const std::string& text) {
  return sha256_of(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

class Downloads : public ::testing::Test {
 protected:
  Downloads() : body_(300'000, ' ') {
    for (std::size_t i = 0; i < body_.size(); ++i) body_[i] = static_cast<char>((i * 2654435761U) >> 13);
    sha256_ = sha256_of_text(body_);
  }

  DownloadOptions options() const {
    return {.sha256 = sha256_, .retries = 2, .backoff = std::chrono::milliseconds(5), .listener = recorder_};
  }
  DownloadOptions unchecked() const {
    DownloadOptions out = options();
    out.sha256.clear();
    return out;
  }

  Error error_of(const std::string& url, const DownloadOptions& options) const {
    try {
      download(url, target_, options);
    } catch (const Error& e) {
      return e;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(ErrorCode::internal, "none");
  }

  /// The target holds the body, and nothing else is left in the folder.
  void expect_whole() const {
    EXPECT_EQ(read_text(target_), body_);
    EXPECT_EQ(folder_.entries(), 1u);
  }
  void expect_nothing_left() const { EXPECT_EQ(folder_.entries(), 0u); }

  std::string body_;
  std::string sha256_;
  TemporaryFolder folder_;
  fs::path target_ = folder_ / "file.bin";
  std::shared_ptr<Recorder> recorder_ = std::make_shared<Recorder>();
  ScopedVariable no_proxy_{"no_proxy", "127.0.0.1"};
  ScopedVariable no_mirror_{"KINDLING_MIRROR", std::nullopt};
  ScopedVariable online_{"KINDLING_OFFLINE", std::nullopt};
};

class Download : public Downloads {};
class DownloadResume : public Downloads {};
class DownloadRetry : public Downloads {};
class DownloadRefusal : public Downloads {};
class DownloadMirror : public Downloads {};

TEST_F(Download, FetchesAndChecksAFile) {
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  auto checked = options();
  checked.bytes = body_.size();
  download(server.url("/file.bin"), target_, checked);
  expect_whole();
  EXPECT_EQ(server.requests().size(), 1u);
  EXPECT_THAT(recorder_->messages(), IsEmpty());
}

TEST_F(Download, MakesTheTargetsFolder) {
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  download(server.url("/file.bin"), folder_ / "a/b/file.bin", options());
  EXPECT_EQ(read_text(folder_ / "a/b/file.bin"), body_);
}

TEST_F(Download, ReplacesAnOlderFileOnlyWhenWhole) {
  write_file(target_, "old");
  LoopbackServer server([&](const Request& request, int number) {
    return number == 0 ? Reply{.status = 404} : ranged(body_, request);
  });
  EXPECT_EQ(error_of(server.url("/file.bin"), options()).code(), ErrorCode::network);
  EXPECT_EQ(read_text(target_), "old");
  download(server.url("/file.bin"), target_, options());
  expect_whole();
}

TEST_F(Download, TellsProgressInBytesUpToTheEnd) {
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  download(server.url("/file.bin"), target_, options());
  const auto updates = recorder_->updates();
  ASSERT_GE(updates.size(), 2u);
  const auto& last = updates[updates.size() - 2];
  EXPECT_EQ(last.what, "file.bin");
  EXPECT_EQ(last.unit, "B");
  EXPECT_EQ(last.done, 300'000);
  EXPECT_EQ(last.total, 300'000);
  EXPECT_THAT(last.note, HasSubstr("B/s"));
  EXPECT_TRUE(updates.back().finished);
}

TEST_F(Download, FetchesAnEmptyFile) {
  LoopbackServer server([&](const Request&, int) { return Reply{}; });
  download(server.url("/file.bin"), target_, {});
  EXPECT_EQ(read_text(target_), "");
  EXPECT_EQ(folder_.entries(), 1u);
}

TEST_F(Download, TakesAnAnswerThatStatesNoLength) {
  LoopbackServer server([&](const Request&, int) { return Reply{.body = body_, .states_length = false}; });
  download(server.url("/file.bin"), target_, options());
  expect_whole();
}

TEST_F(Download, FollowsRedirects) {
  LoopbackServer server([&](const Request& request, int) {
    if (request.path == "/here") return ranged(body_, request);
    return Reply{.status = 302, .body = "elsewhere", .headers = {{"Location", "/here"}}};
  });
  download(server.url("/file.bin"), target_, options());
  expect_whole();
}

TEST_F(Download, AcceptsAnUpperCaseDigest) {
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  auto upper = options();
  for (char& c : upper.sha256) c = static_cast<char>(std::toupper(c));
  download(server.url("/file.bin"), target_, upper);
  expect_whole();
}

TEST_F(Download, ChecksTheFirstMebibyteByMd5) {
  body_.assign((1 << 20) + 5, 'm');
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  auto checked = unchecked();
  checked.md5_start = "8b1f4d7ee30571ce94ed39f4c3d1a9d5";
  const Error error = error_of(server.url("/file.bin"), checked);
  EXPECT_EQ(error.code(), ErrorCode::checksum);
  EXPECT_EQ(error.fact("expected"), "md5 of the first MiB 8b1f4d7ee30571ce94ed39f4c3d1a9d5");
  expect_nothing_left();
  checked.md5_start = "12564a07eb1f09728e729910398fd87f";
  download(server.url("/file.bin"), target_, checked);
  expect_whole();
  const TemporaryFolder source;
  write_file(source / "a.bin", body_);
  download("file://" + (source / "a.bin").string(), target_, checked);
  expect_whole();
}

TEST_F(Download, CopiesFileAddresses) {
  const TemporaryFolder source;
  write_file(source / "a b.bin", body_);
  download("file://" + source.path().string() + "/a%20b.bin", target_, options());
  expect_whole();
  auto wrong = options();
  wrong.sha256 = std::string(64, '0');
  EXPECT_EQ(error_of("file://" + source.path().string() + "/a%20b.bin", wrong).code(), ErrorCode::checksum);
  EXPECT_EQ(error_of("file:///nowhere/x", options()).code(), ErrorCode::not_found);
  auto small = options();
  small.max_bytes = 1000;
  EXPECT_EQ(error_of("file:///dev/zero", small).code(), ErrorCode::limit);
  expect_whole();
}

TEST_F(Download, OfOneNameByManyThreadsHappensOnceAtATime) {
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { EXPECT_NO_THROW(download(server.url("/file.bin"), target_, options())); });
  }
  for (auto& thread : threads) thread.join();
  expect_whole();
}

TEST_F(DownloadResume, GoesOnWhereTheLineBroke) {
  LoopbackServer server([&](const Request& request, int number) {
    Reply reply = ranged(body_, request);
    if (number == 0) reply.cut_after = 100'000;
    return reply;
  });
  download(server.url("/file.bin"), target_, unchecked());
  expect_whole();
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[1].header("range"), "bytes=100000-");
  EXPECT_EQ(requests[1].header("if-range"), "\"v1\"");
  EXPECT_THAT(recorder_->messages(), HasSubstr("trying again in"));
}

TEST_F(DownloadResume, GoesOnInALaterCall) {
  std::atomic<bool> is_bad{true};
  LoopbackServer server([&](const Request& request, int) {
    Reply reply = ranged(body_, request);
    if (is_bad) reply.cut_after = 50'000;
    return reply;
  });
  auto impatient = unchecked();
  impatient.retries = 0;
  const Error error = error_of(server.url("/file.bin"), impatient);
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_THAT(error.hint(), HasSubstr("goes on from where it stopped"));
  EXPECT_FALSE(fs::exists(target_));
  EXPECT_EQ(fs::file_size(folder_ / "file.bin.part"), 50'000u);
  is_bad = false;
  download(server.url("/file.bin"), target_, impatient);
  expect_whole();
  EXPECT_EQ(server.requests().back().header("range"), "bytes=50000-");
}

TEST_F(DownloadResume, StartsAfreshWhereTheServerIgnoresRanges) {
  LoopbackServer server([&](const Request&, int number) {
    Reply reply{.body = body_};
    if (number == 0) reply.cut_after = 100'000;
    return reply;
  });
  download(server.url("/file.bin"), target_, options());
  expect_whole();
  EXPECT_EQ(server.requests().back().header("range"), "bytes=100000-");
}

TEST_F(DownloadResume, NeverJoinsPartsOfTwoVersions) {
  const std::string old_body(200'000, 'o');
  LoopbackServer server([&](const Request& request, int number) {
    if (number > 0) return ranged(body_, request, "\"v2\"");
    Reply reply = ranged(old_body, request, "\"v1\"");
    reply.cut_after = 100'000;
    return reply;
  });
  download(server.url("/file.bin"), target_, unchecked());
  expect_whole();
  EXPECT_EQ(server.requests().back().header("if-range"), "\"v1\"");
}

TEST_F(DownloadResume, WithoutDigestAndValidatorStartsOver) {
  write_file(folder_ / "file.bin.part", "left by who knows");
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  download(server.url("/file.bin"), target_, unchecked());
  expect_whole();
  EXPECT_EQ(server.requests().back().header("range"), "");
}

TEST_F(DownloadResume, AForeignPartIsFoundOutByTheDigestAndFetchedAgain) {
  write_file(folder_ / "file.bin.part", std::string(1000, 'x'));
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  download(server.url("/file.bin"), target_, options());
  expect_whole();
  EXPECT_THAT(recorder_->messages(), HasSubstr("wrong bytes arrived"));
}

TEST_F(DownloadResume, APartThatIsWholeAlreadyIsTaken) {
  write_file(folder_ / "file.bin.part", body_);
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  download(server.url("/file.bin"), target_, options());
  expect_whole();
}

TEST_F(DownloadResume, AnotherPartThanAskedForIsNotJoined) {
  LoopbackServer server([&](const Request& request, int number) {
    Reply reply = ranged(body_, request);
    if (number == 0) reply.cut_after = 100'000;
    if (number == 1) reply.headers = {{"Content-Range", "bytes 7-299999/300000"}};
    return reply;
  });
  download(server.url("/file.bin"), target_, options());
  expect_whole();
  EXPECT_THAT(recorder_->messages(), HasSubstr("another part of the file"));
}

TEST_F(DownloadResume, ADamagedNoteOfTheOriginIsNoObstacle) {
  write_file(folder_ / "file.bin.part", body_.substr(0, 10));
  write_file(folder_ / "file.bin.part.json", "{\"url\": 3");
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  download(server.url("/file.bin"), target_, options());
  expect_whole();
}

TEST_F(DownloadRetry, GivesUpAfterTheRetriesOnAServerThatAlwaysCutsOff) {
  LoopbackServer server([&](const Request&, int) { return Reply{.body = body_, .cut_after = 1000}; });
  const Error error = error_of(server.url("/file.bin"), options());
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_THAT(error.message(), HasSubstr("the download failed: "));
  EXPECT_EQ(error.fact("attempts"), "3");
  EXPECT_EQ(error.fact("url"), server.url("/file.bin"));
  EXPECT_EQ(server.requests().size(), 3u);
  EXPECT_FALSE(fs::exists(target_));
}

TEST_F(DownloadRetry, EachAttemptThatBringsAMegabyteRenewsThePatience) {
  body_.assign(6 << 20, 'm');
  sha256_ = sha256_of_text(body_);
  LoopbackServer server([&](const Request& request, int) {
    Reply reply = ranged(body_, request);
    reply.cut_after = (1 << 20) + 10;
    return reply;
  });
  auto impatient = options();
  impatient.retries = 1;
  download(server.url("/file.bin"), target_, impatient);
  expect_whole();
  EXPECT_EQ(server.requests().size(), 6u);
}

TEST_F(DownloadRetry, EndsAnAttemptThatStalls) {
  LoopbackServer server([&](const Request& request, int number) {
    Reply reply = ranged(body_, request);
    if (number == 0) {
      reply.cut_after = 1000;
      reply.stalls = true;
    }
    return reply;
  });
  auto quick = options();
  quick.stall_timeout = std::chrono::seconds(1);
  download(server.url("/file.bin"), target_, quick);
  expect_whole();
  EXPECT_THAT(recorder_->messages(), HasSubstr("nothing arrived for 1 s"));
}

TEST_F(DownloadRetry, TriesAgainWhenTheServerIsBusy) {
  LoopbackServer server([&](const Request& request, int number) {
    if (number == 0) return Reply{.status = 503, .body = "busy", .headers = {{"Retry-After", "0"}}};
    if (number == 1) return Reply{.status = 429};
    return ranged(body_, request);
  });
  download(server.url("/file.bin"), target_, options());
  expect_whole();
  EXPECT_THAT(recorder_->messages(), HasSubstr("HTTP 503"));
  EXPECT_THAT(recorder_->messages(), HasSubstr("HTTP 429"));
}

TEST_F(DownloadRetry, WaitsAsLongAsTheServerAsks) {
  LoopbackServer server([&](const Request& request, int number) {
    return number == 0 ? Reply{.status = 503, .headers = {{"Retry-After", "1"}}} : ranged(body_, request);
  });
  const auto began = std::chrono::steady_clock::now();
  download(server.url("/file.bin"), target_, options());
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::seconds(1));
}

TEST_F(DownloadRetry, DoesNotWaitForHours) {
  LoopbackServer server([&](const Request&, int) {
    return Reply{.status = 503, .headers = {{"Retry-After", "7200"}}};
  });
  const Error error = error_of(server.url("/file.bin"), options());
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_EQ(error.hint(), "the server asks to try again in 2:00:00");
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(DownloadRetry, TellsAServerThatIsNotThere) {
  const std::string url = "http://127.0.0.1:" + std::to_string(LoopbackServer::closed_port()) + "/file.bin";
  const Error error = error_of(url, options());
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_THAT(error.message(), HasSubstr("connect"));
  EXPECT_EQ(error.fact("attempts"), "3");
  expect_nothing_left();
}

TEST_F(DownloadRetry, EndsSoonOnAnInterrupt) {
  LoopbackServer server([&](const Request& request, int) {
    request_interrupt();
    Reply reply = ranged(body_, request);
    reply.cut_after = 1000;
    reply.stalls = true;
    return reply;
  });
  const Error error = error_of(server.url("/file.bin"), options());
  clear_interrupt();
  EXPECT_EQ(error.code(), ErrorCode::interrupted);
  EXPECT_THAT(error.what(), HasSubstr("the download was stopped"));
  EXPECT_FALSE(fs::exists(target_));
}

TEST_F(DownloadRetry, FetchesWrongBytesOnceMore) {
  LoopbackServer server([&](const Request& request, int number) {
    return ranged(number == 0 ? std::string(300'000, 'w') : body_, request);
  });
  download(server.url("/file.bin"), target_, options());
  expect_whole();
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(DownloadRefusal, OfWrongBytesNamesExpectedAndGot) {
  const std::string wrong(300'000, 'w');
  LoopbackServer server([&](const Request& request, int) { return ranged(wrong, request); });
  const Error error = error_of(server.url("/file.bin"), options());
  EXPECT_EQ(error.code(), ErrorCode::checksum);
  EXPECT_EQ(error.fact("expected"), "sha256 " + sha256_);
  EXPECT_EQ(error.fact("got"), "sha256 " + sha256_of_text(wrong) + " of 300000 bytes");
  EXPECT_EQ(server.requests().size(), 2u);
  expect_nothing_left();
}

TEST_F(DownloadRefusal, OfAnotherSizeComesBeforeTheBody) {
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  auto sized = unchecked();
  sized.bytes = 299'999;
  const Error error = error_of(server.url("/file.bin"), sized);
  EXPECT_EQ(error.code(), ErrorCode::checksum);
  EXPECT_EQ(error.fact("expected"), "299999 bytes");
  EXPECT_EQ(error.fact("got"), "300000 bytes");
  expect_nothing_left();
}

TEST_F(DownloadRefusal, OfABodyShorterThanItsClaimIsABrokenLine) {
  LoopbackServer server([&](const Request&, int) { return Reply{.body = body_, .claimed_length = 400'000}; });
  const Error error = error_of(server.url("/file.bin"), unchecked());
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_FALSE(fs::exists(target_));
}

TEST_F(DownloadRefusal, OfABodyLongerThanItsClaimIsFoundByTheDigest) {
  LoopbackServer server([&](const Request&, int) { return Reply{.body = body_, .claimed_length = 1000}; });
  const Error error = error_of(server.url("/file.bin"), options());
  EXPECT_EQ(error.code(), ErrorCode::checksum);
  EXPECT_THAT(error.fact("got"), HasSubstr("of 1000 bytes"));
  expect_nothing_left();
}

TEST_F(DownloadRefusal, OfMissingAndForbiddenFilesIsNotRetried) {
  for (const auto& [status, text] :
       {std::pair{404, "the server has no such file (HTTP 404)"},
        std::pair{403, "the server refuses to give the file (HTTP 403)"},
        std::pair{418, "the server answers HTTP 418"}, std::pair{304, "the server answers HTTP 304"}}) {
    LoopbackServer server(
        [&, code = status](const Request&, int) { return Reply{.status = code, .body = body_}; });
    const Error error = error_of(server.url("/file.bin"), options());
    EXPECT_EQ(error.code(), ErrorCode::network);
    EXPECT_THAT(error.message(), HasSubstr(text));
    EXPECT_THAT(error.hint(), Not(IsEmpty()));
    EXPECT_EQ(server.requests().size(), 1u) << status;
    expect_nothing_left();
  }
}

TEST_F(DownloadRefusal, OfRedirectsInACircle) {
  LoopbackServer server([&](const Request&, int) {
    return Reply{.status = 302, .headers = {{"Location", "/round"}}};
  });
  const Error error = error_of(server.url("/file.bin"), options());
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_THAT(error.message(), HasSubstr("redirects more than 8 times"));
  EXPECT_EQ(server.requests().size(), 9u);
}

TEST_F(DownloadRefusal, OfRedirectsToOtherSchemes) {
  const TemporaryFolder secrets;
  write_file(secrets / "secret", body_);
  for (const std::string& location :
       {"file://" + (secrets / "secret").string(), std::string("ftp://127.0.0.1/x")}) {
    LoopbackServer server([&](const Request&, int) {
      return Reply{.status = 302, .headers = {{"Location", location}}};
    });
    const Error error = error_of(server.url("/file.bin"), options());
    EXPECT_EQ(error.code(), ErrorCode::network);
    EXPECT_THAT(error.hint(), HasSubstr("is not of http or https")) << error.what();
    EXPECT_EQ(server.requests().size(), 1u);
    expect_nothing_left();
  }
}

TEST_F(DownloadRefusal, OfAnnouncedHugeBodiesComesAtOnce) {
  LoopbackServer server([&](const Request&, int) {
    return Reply{.body = body_, .claimed_length = std::size_t{1} << 40, .repeat = 100'000};
  });
  auto limited = unchecked();
  limited.max_bytes = 1'000'000;
  const Error error = error_of(server.url("/file.bin"), limited);
  EXPECT_EQ(error.code(), ErrorCode::limit);
  EXPECT_EQ(error.fact("allowed"), "1000000");
  EXPECT_EQ(error.fact("bytes"), std::to_string(std::size_t{1} << 40));
  expect_nothing_left();
}

TEST_F(DownloadRefusal, OfUnannouncedHugeBodiesComesWhileTheyStream) {
  LoopbackServer server(
      [&](const Request&, int) { return Reply{.body = body_, .states_length = false, .repeat = 1'000'000}; });
  auto limited = unchecked();
  limited.max_bytes = 1'000'000;
  EXPECT_EQ(error_of(server.url("/file.bin"), limited).code(), ErrorCode::limit);
  EXPECT_EQ(server.requests().size(), 1u);
  expect_nothing_left();
}

TEST_F(DownloadRefusal, OfAFileLargerThanTheDiskComesBeforeTheBody) {
  LoopbackServer server(
      [&](const Request&, int) { return Reply{.body = body_, .claimed_length = std::size_t{1} << 60}; });
  auto unlimited = unchecked();
  unlimited.max_bytes = ~std::uint64_t{0};
  const Error error = error_of(server.url("/file.bin"), unlimited);
  EXPECT_EQ(error.code(), ErrorCode::no_space);
  EXPECT_THAT(error.what(), HasSubstr("the file does not fit on the disk"));
  expect_nothing_left();
}

TEST_F(DownloadRefusal, OfADiskThatFillsUpFreesIt) {
  const fs::path disk = folder_ / "disk";
  fs::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=128k") != 0) {
    GTEST_SKIP() << "mounting a small disk needs root: " << std::generic_category().message(errno);
  }
  target_ = disk / "file.bin";
  LoopbackServer server([&](const Request&, int) { return Reply{.body = body_, .states_length = false}; });
  const Error error = error_of(server.url("/file.bin"), options());
  EXPECT_EQ(error.code(), ErrorCode::no_space);
  EXPECT_EQ(server.requests().size(), 1u);
  EXPECT_TRUE(fs::is_empty(disk));
  ::umount(disk.c_str());
}

TEST_F(DownloadRefusal, OfAddressesThatAreNone) {
  EXPECT_EQ(error_of("ftp://127.0.0.1/x", options()).code(), ErrorCode::usage);
  EXPECT_EQ(error_of("just words", options()).code(), ErrorCode::usage);
  EXPECT_EQ(error_of("", options()).code(), ErrorCode::usage);
  EXPECT_THAT(error_of("scp://host/x", options()).what(), HasSubstr("http, https and file only"));
}

TEST_F(DownloadRefusal, ToOverwriteAFolder) {
  target_ = folder_.path();
  EXPECT_EQ(error_of("http://127.0.0.1:9/x", options()).code(), ErrorCode::io);
}

TEST_F(DownloadRefusal, OfAListenersExceptionReachesTheCaller) {
  class Broken : public Listener {
    void progress(const Progress&) override { throw std::runtime_error("the page is gone"); }
  };
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  auto watched = options();
  watched.listener = std::make_shared<Broken>();
  EXPECT_THROW(download(server.url("/file.bin"), target_, watched), std::runtime_error);
}

TEST_F(DownloadMirror, FolderIsAskedFirst) {
  const TemporaryFolder mirror_folder;
  write_file(mirror_folder / "weights.pth", body_);
  const ScopedVariable mirror("KINDLING_MIRROR", mirror_folder.path().string());
  LoopbackServer server([&](const Request&, int) { return Reply{.status = 500}; });
  download(server.url("/deep/weights.pth?download=1"), target_, options());
  expect_whole();
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(DownloadMirror, ThatLacksTheFileGivesWayToTheAddress) {
  const TemporaryFolder mirror_folder;
  LoopbackServer mirror_server([&](const Request&, int) { return Reply{.status = 404}; });
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  for (const std::string& place :
       {mirror_folder.path().string(), mirror_server.url("/m"), "file://" + mirror_folder.path().string()}) {
    const ScopedVariable mirror("KINDLING_MIRROR", place);
    download(server.url("/weights.pth"), target_, options());
    expect_whole();
    fs::remove(target_);
  }
  EXPECT_EQ(mirror_server.requests().at(0).path, "/m/weights.pth");
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST_F(DownloadMirror, FolderThatIsMissingIsAnErrorAndNotSkipped) {
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  for (const char* place : {"/no/such/folder", "file:///no/such/folder"}) {
    const ScopedVariable mirror("KINDLING_MIRROR", place);
    const Error error = error_of(server.url("/weights.pth"), options());
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_THAT(error.what(), HasSubstr("KINDLING_MIRROR names a folder that does not exist"));
    EXPECT_EQ(error.fact("path"), "/no/such/folder");
  }
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(DownloadMirror, AddressIsAskedFirst) {
  LoopbackServer mirror_server([&](const Request& request, int) { return ranged(body_, request); });
  const ScopedVariable mirror("KINDLING_MIRROR", mirror_server.url("/m/"));
  download("http://127.0.0.1:9/x/a%20b.pth", target_, options());
  expect_whole();
  EXPECT_EQ(mirror_server.requests().at(0).path, "/m/a%20b.pth");
}

TEST_F(DownloadMirror, WithWrongBytesOrOutOfOrderGivesWayWithAWarning) {
  const TemporaryFolder mirror_folder;
  write_file(mirror_folder / "weights.pth", "stale");
  const std::string dead = "http://127.0.0.1:" + std::to_string(LoopbackServer::closed_port());
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  for (const std::string& place : {mirror_folder.path().string(), dead}) {
    const ScopedVariable mirror("KINDLING_MIRROR", place);
    download(server.url("/weights.pth"), target_, options());
    expect_whole();
    fs::remove(target_);
  }
  EXPECT_THAT(recorder_->messages(),
              HasSubstr("the mirror is left out: the file that arrived is not the expected"));
  EXPECT_THAT(recorder_->messages(), HasSubstr("the mirror is left out: the download failed"));
}

TEST_F(DownloadMirror, OfAnUnknownKindIsToldAsSuch) {
  const ScopedVariable mirror("KINDLING_MIRROR", "ftp://host/files");
  const Error error = error_of("http://127.0.0.1:9/x", options());
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_THAT(error.what(), HasSubstr("KINDLING_MIRROR is neither a folder nor an http address"));
}

TEST_F(DownloadMirror, FolderAndFileAddressesAreAllThatOfflineAllows) {
  const ScopedVariable offline("KINDLING_OFFLINE", "1");
  const TemporaryFolder mirror_folder;
  write_file(mirror_folder / "weights.pth", body_);
  LoopbackServer server([&](const Request& request, int) { return ranged(body_, request); });
  const Error error = error_of(server.url("/weights.pth"), options());
  EXPECT_EQ(error.code(), ErrorCode::offline);
  EXPECT_THAT(error.what(), HasSubstr("KINDLING_OFFLINE forbids it"));
  EXPECT_THAT(error.hint(), HasSubstr("KINDLING_MIRROR"));
  {
    const ScopedVariable mirror("KINDLING_MIRROR", server.url("/m"));
    EXPECT_EQ(error_of(server.url("/weights.pth"), options()).code(), ErrorCode::offline);
  }
  const ScopedVariable mirror("KINDLING_MIRROR", mirror_folder.path().string());
  download(server.url("/weights.pth"), target_, options());
  expect_whole();
  fs::remove(target_);
  download("file://" + (mirror_folder / "weights.pth").string(), target_, options());
  expect_whole();
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST(IsOffline, FollowsTheVariable) {
  for (const auto& [value, expected] :
       {std::pair{"1", true}, std::pair{"yes", true}, std::pair{"0", false}, std::pair{"", false}}) {
    const ScopedVariable offline("KINDLING_OFFLINE", value);
    EXPECT_EQ(is_offline(), expected) << value;
  }
  const ScopedVariable offline("KINDLING_OFFLINE", std::nullopt);
  EXPECT_FALSE(is_offline());
}

}  // namespace
}  // namespace kindling
