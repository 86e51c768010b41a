#include <kindling/core/archive.hpp>
#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>

#include "core/archive_writer.hpp"
#include "core/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {
namespace {

using testing::Entry;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

class Archives : public ::testing::Test {
 protected:
  fs::path make(const std::string& name, const std::vector<Entry>& entries) const {
    testing::write_archive(folder_ / name, entries);
    return folder_ / name;
  }
  Error error_of(const fs::path& archive, const ExtractOptions& options = {}) const {
    try {
      extract_archive(archive, target_, options);
    } catch (const Error& e) {
      return e;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(ErrorCode::internal, "none");
  }
  /// Refused as a whole, and nothing is left, inside or outside.
  void expect_refused(const std::vector<Entry>& entries, const std::string& reason) const {
    for (const char* name : {"bad.tgz", "bad.zip"}) {
      // A zip cannot hold hard links and devices.
      const bool tar_only = std::ranges::any_of(
          entries, [](const Entry& e) { return !e.hard_link.empty() || e.type == AE_IFCHR || e.type == AE_IFIFO; });
      if (tar_only && std::string(name) == "bad.zip") continue;
      const Error error = error_of(make(name, entries));
      EXPECT_EQ(error.code(), ErrorCode::bad_data) << name << ": " << error.what();
      EXPECT_THAT(error.message(), HasSubstr(reason)) << name;
      EXPECT_FALSE(fs::exists(target_)) << name;
      fs::remove(folder_ / name);
    }
    EXPECT_EQ(folder_.entries(), 1u) << "only " << outside_;
    EXPECT_EQ(read_text(outside_), "mine");
  }

  TemporaryFolder folder_;
  fs::path target_ = folder_ / "target";
  fs::path outside_ = folder_ / "outside.txt";

  void SetUp() override { write_file(outside_, "mine"); }
};

class Extract : public Archives {};
class ExtractRefuses : public Archives {};

TEST_F(Extract, UnpacksFilesFoldersAndInnerLinks) {
  for (const char* name : {"a.tgz", "a.tar", "a.zip"}) {
    const std::string big(600'000, 'b');
    extract_archive(make(name, {{"set", "", AE_IFDIR},
                                {"set/./a.txt", "a"},
                                {"set/deep/b.bin", big},
                                {"set/deep/to_a", "", AE_IFLNK, "../a.txt"},
                                {"set/to_deep", "", AE_IFLNK, "deep"},
                                {"set/é.txt", "e"}}),
                    target_);
    EXPECT_EQ(read_text(target_ / "set/a.txt"), "a") << name;
    EXPECT_EQ(read_text(target_ / "set/deep/b.bin"), big);
    EXPECT_EQ(read_text(target_ / "set/to_deep/to_a"), "a");
    EXPECT_EQ(read_text(target_ / "set/é.txt"), "e");
    // Neither set-user-id nor execute bits come out of an archive.
    EXPECT_EQ(static_cast<int>(fs::status(target_ / "set/a.txt").permissions()) & 07111, 0);
    fs::remove_all(target_);
  }
}

TEST_F(Extract, HardLinksInsideAreKept) {
  extract_archive(make("a.tgz", {{"a.txt", "a"}, {.name = "d/b.txt", .hard_link = "a.txt"}}), target_);
  EXPECT_EQ(read_text(target_ / "d/b.txt"), "a");
  EXPECT_EQ(fs::hard_link_count(target_ / "a.txt"), 2u);
}

TEST_F(Extract, OfTwoEntriesWithOneNameTheLaterCounts) {
  extract_archive(make("a.tgz", {{"a.txt", "first"}, {.name = "b.txt", .hard_link = "a.txt"}, {"a.txt", "second"}}),
                  target_);
  EXPECT_EQ(read_text(target_ / "a.txt"), "second");
  EXPECT_EQ(read_text(target_ / "b.txt"), "first");
}

TEST_F(Extract, AnArchiveWithoutEntriesIsAnEmptyFolder) {
  extract_archive(make("a.tar", {}), target_);
  EXPECT_TRUE(fs::is_empty(target_));
}

TEST_F(Extract, DoesNotMixWithWhatIsThere) {
  fs::create_directory(target_);
  write_file(target_ / "mine.txt", "dear");
  EXPECT_EQ(error_of(make("a.tgz", {{"a.txt", "a"}})).code(), ErrorCode::usage);
  EXPECT_EQ(read_text(target_ / "mine.txt"), "dear");
}

TEST_F(Extract, EndsOnAnInterruptAndLeavesNothing) {
  request_interrupt();
  const Error error = error_of(make("a.tgz", {{"a.txt", "a"}}));
  clear_interrupt();
  EXPECT_EQ(error.code(), ErrorCode::interrupted);
  EXPECT_FALSE(fs::exists(target_));
}

TEST_F(ExtractRefuses, PathsThatLeaveTheTarget) {
  expect_refused({{"good.txt", "g"}, {"../outside.txt", "evil"}}, "leads out of the folder");
  expect_refused({{"a/../../outside.txt", "evil"}}, "leads out of the folder");
  expect_refused({{"a/..", "", AE_IFDIR}}, "leads out of the folder");
}

TEST_F(ExtractRefuses, AbsolutePaths) {
  expect_refused({{outside_.string(), "evil"}}, "is an absolute path");
}

TEST_F(ExtractRefuses, SymbolicLinksThatLeaveTheTarget) {
  expect_refused({{"out", "", AE_IFLNK, folder_.path().string()}, {"out/outside.txt", "evil"}}, "absolute path");
  expect_refused({{"out", "", AE_IFLNK, ".."}, {"out/outside.txt", "evil"}}, "leads out of the folder");
  expect_refused({{"d/out", "", AE_IFLNK, "../../outside.txt"}}, "leads out of the folder");
  expect_refused({{"d/out", "", AE_IFLNK, "e/../../.."}}, "leads out of the folder");
}

TEST_F(ExtractRefuses, EntriesBehindASymbolicLink) {
  // Written through "in", the second link would count its ".." from another folder than its name says.
  expect_refused({{"x/in", "", AE_IFLNK, "."}, {"x/in/out", "", AE_IFLNK, "../.."}}, "symbolic link");
  expect_refused({{"in", "", AE_IFLNK, "d"}, {"d/a.txt", "a"}, {"in/b.txt", "b"}}, "one name");
}

TEST_F(ExtractRefuses, HardLinksToFilesOutside) {
  expect_refused({{.name = "in.txt", .hard_link = "../outside.txt"}}, "leads out of the folder");
  expect_refused({{.name = "in.txt", .hard_link = outside_.string()}}, "is an absolute path");
  expect_refused({{.name = "in.txt", .hard_link = "missing.txt"}}, "no file of the archive");
}

TEST_F(ExtractRefuses, DevicesAndPipes) {
  expect_refused({{"null", "", AE_IFCHR}}, "a device or a pipe");
  expect_refused({{"pipe", "", AE_IFIFO}}, "a device or a pipe");
}

TEST_F(ExtractRefuses, Bombs) {
  const fs::path bomb = make("bomb.tgz", {{"zeros", std::string(20'000'000, '\0')}});
  const Error by_ratio = error_of(bomb, {.ratio_from = 1 << 20});
  EXPECT_EQ(by_ratio.code(), ErrorCode::limit);
  EXPECT_THAT(by_ratio.message(), HasSubstr("far more than its own size"));
  const Error by_size = error_of(bomb, {.max_bytes = 1'000'000});
  EXPECT_EQ(by_size.code(), ErrorCode::limit);
  EXPECT_EQ(by_size.fact("allowed"), "1.0 MB");
  std::vector<Entry> many;
  for (int i = 0; i < 50; ++i) many.push_back({"f" + std::to_string(i), ""});
  const Error by_count = error_of(make("many.tgz", many), {.max_files = 49});
  EXPECT_EQ(by_count.code(), ErrorCode::limit);
  EXPECT_EQ(by_count.fact("allowed"), "49");
  EXPECT_FALSE(fs::exists(target_));
}

TEST_F(ExtractRefuses, WhatIsCutShortOrNoArchive) {
  const fs::path whole = make("a.tgz", {{"a.bin", std::string(100'000, 'a') + "end"}, {"b.txt", "b"}});
  const std::string bytes = read_text(whole);
  write_file(folder_ / "cut.tgz", bytes.substr(0, bytes.size() / 2));
  const Error cut = error_of(folder_ / "cut.tgz");
  EXPECT_EQ(cut.code(), ErrorCode::bad_data);
  EXPECT_THAT(cut.message(), HasSubstr("the archive is damaged"));
  write_file(folder_ / "page.tgz", "<html><body>Sign in to this network</body></html>");
  EXPECT_THAT(error_of(folder_ / "page.tgz").message(), HasSubstr("this is not a tar or zip archive"));
  EXPECT_EQ(error_of(folder_ / "missing.tgz").code(), ErrorCode::not_found);
  EXPECT_FALSE(fs::exists(target_));
}

}  // namespace
}  // namespace kindling
