#include <kindling/core/error.hpp>
#include <kindling/core/files.hpp>

#include "core/leftovers.hpp"
#include "core/temporary_folder.hpp"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;
using testing::ScopedVariable;
using testing::TemporaryFolder;

ErrorCode code_of(const std::function<void()>& action, std::string* what = nullptr) {
  try {
    action();
  } catch (const Error& e) {
    if (what != nullptr) *what = e.what();
    return e.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::internal;
}

TEST(ReadFile, GivesEveryByte) {
  const TemporaryFolder folder;
  Bytes bytes(700'001);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 131 >> 3);
  write_file(folder / "a", bytes);
  EXPECT_EQ(read_file(folder / "a"), bytes);
  EXPECT_EQ(read_text(folder / "a"), std::string(bytes.begin(), bytes.end()));
}

TEST(ReadFile, ReadsFilesThatStateNoSize) {
  EXPECT_THAT(read_text("/proc/self/status"), HasSubstr("Pid:"));
}

TEST(ReadFile, RefusesLargerThanAllowed) {
  const TemporaryFolder folder;
  write_file(folder / "a", "12345");
  EXPECT_EQ(read_text(folder / "a", 5), "12345");
  std::string what;
  EXPECT_EQ(code_of([&] { read_text(folder / "a", 4); }, &what), ErrorCode::limit);
  EXPECT_THAT(what, HasSubstr("larger than allowed"));
  EXPECT_THAT(what, HasSubstr("bytes: 5, allowed: 4"));
}

TEST(ReadFile, RefusesEndlessFiles) {
  EXPECT_EQ(code_of([] { read_file("/dev/zero", 1 << 20); }), ErrorCode::limit);
}

TEST(ReadFile, TellsMissingFilesAndFolders) {
  const TemporaryFolder folder;
  std::string what;
  EXPECT_EQ(code_of([&] { read_file(folder / "none"); }, &what), ErrorCode::not_found);
  EXPECT_THAT(what,
              HasSubstr("cannot open the file: No such file or directory (path: " + folder.path().string()));
  EXPECT_EQ(code_of([&] { read_file(folder.path()); }, &what), ErrorCode::io);
  EXPECT_THAT(what, HasSubstr("this is a folder"));
}

TEST(MappedFile, ShowsTheBytesUntilTheLastCopyIsGone) {
  const TemporaryFolder folder;
  write_file(folder / "a", "hello");
  auto first = std::make_unique<MappedFile>(folder / "a");
  const MappedFile second = *first;
  first.reset();
  EXPECT_EQ(std::string(second.bytes().begin(), second.bytes().end()), "hello");
  EXPECT_EQ(second.path(), folder / "a");
}

TEST(MappedFile, IsEmptyForAnEmptyFile) {
  const TemporaryFolder folder;
  write_file(folder / "a", "");
  EXPECT_TRUE(MappedFile(folder / "a").bytes().empty());
}

TEST(MappedFile, TellsAMissingFile) {
  EXPECT_EQ(code_of([] { MappedFile("/nowhere/at/all"); }), ErrorCode::not_found);
}

TEST(AtomicFile, AppearsOnlyWithCommit) {
  const TemporaryFolder folder;
  AtomicFile file(folder / "a");
  file.write("one ");
  file.write("two");
  EXPECT_FALSE(fs::exists(folder / "a"));
  file.commit();
  EXPECT_EQ(read_text(folder / "a"), "one two");
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(AtomicFile, WithoutCommitLeavesNoTraceAndTheOldFile) {
  const TemporaryFolder folder;
  write_file(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("new");
    EXPECT_EQ(folder.entries(), 2u);
  }
  EXPECT_EQ(read_text(folder / "a"), "old");
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(AtomicFile, KeepsTheModeOfTheFileItReplaces) {
  const TemporaryFolder folder;
  write_file(folder / "a", "old");
  ASSERT_EQ(::chmod((folder / "a").c_str(), 0640), 0);
  write_file(folder / "a", "new");
  struct stat status {};
  ASSERT_EQ(::stat((folder / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(AtomicFile, WritesThroughASymbolicLink) {
  const TemporaryFolder folder;
  write_file(folder / "real", "old");
  fs::create_symlink("real", folder / "link");
  write_file(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_text(folder / "real"), "new");
}

TEST(AtomicFile, TakesTheLongestNameTheFileSystemAllows) {
  const TemporaryFolder folder;
  const fs::path path = folder / std::string(255, 'x');
  write_file(path, "x");
  EXPECT_EQ(read_text(path), "x");
}

TEST(AtomicFile, TellsAMissingFolderAtOnce) {
  const TemporaryFolder folder;
  std::string what;
  EXPECT_EQ(code_of([&] { AtomicFile(folder / "no/such/a"); }, &what), ErrorCode::not_found);
  EXPECT_THAT(what, HasSubstr("its folder does not exist"));
  EXPECT_THAT(what, HasSubstr("create the folder first"));
}

TEST(AtomicFile, TellsAFolderThatIsLostWhileTheFileIsWritten) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "a");
  AtomicFile file(folder / "a/b");
  file.write("x");
  fs::rename(folder / "a", folder / "away");
  std::string what;
  EXPECT_EQ(code_of([&] { file.commit(); }, &what), ErrorCode::not_found);
  EXPECT_THAT(what, HasSubstr("its folder does not exist"));
}

TEST(Leftovers, GoWhereTheirProcessIsNoMore) {
  const TemporaryFolder folder;
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(gone, nullptr, 0), gone);
  const std::vector<fs::path> left{folder / (".kindling-" + std::to_string(gone) + "-00000000-0.tmp"),
                                   folder / (".kindling-" + std::to_string(::getpid()) + "-00000000-0.tmp")};
  const std::vector<fs::path> stay{detail::temporary_name(folder.path()), folder / ".kindling-.tmp",
                                   folder / ".kindling-12x-0.tmp", folder / "photo.jpg"};
  for (const fs::path& path : left) write_file(path, "x");
  for (const fs::path& path : stay) write_file(path, "x");
  detail::remove_leftovers(folder.path());
  for (const fs::path& path : left) EXPECT_FALSE(fs::exists(path)) << path;
  for (const fs::path& path : stay) EXPECT_TRUE(fs::exists(path)) << path;
}

TEST(AtomicFile, RefusesToReplaceAFolder) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "a");
  std::string what;
  EXPECT_EQ(code_of([&] { AtomicFile(folder / "a"); }, &what), ErrorCode::io);
  EXPECT_THAT(what, HasSubstr("a folder of this name exists"));
}

TEST(AtomicFile, RefusesToWriteAfterCommit) {
  const TemporaryFolder folder;
  AtomicFile file(folder / "a");
  file.commit();
  EXPECT_EQ(code_of([&] { file.write("x"); }), ErrorCode::internal);
  EXPECT_EQ(code_of([&] { file.commit(); }), ErrorCode::internal);
}

TEST(AtomicFile, WritersOfOneNameNeverMix) {
  const TemporaryFolder folder;
  std::vector<std::thread> writers;
  for (char letter : {'a', 'b', 'c', 'd'}) {
    writers.emplace_back([&, letter] {
      for (int i = 0; i < 20; ++i) write_file(folder / "f", std::string(10'000, letter));
    });
  }
  for (auto& writer : writers) writer.join();
  const std::string text = read_text(folder / "f");
  EXPECT_EQ(text, std::string(10'000, text.at(0)));
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(AtomicFile, WritesIntoADeviceWithoutReplacingIt) {
  write_file("/dev/null", "gone");
  struct stat status {};
  ASSERT_EQ(::stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
}

TEST(FullDisk, OfADeviceIsNoSpace) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full here";
  std::string what;
  EXPECT_EQ(code_of([] { write_file("/dev/full", "x"); }, &what), ErrorCode::no_space);
  EXPECT_THAT(what, HasSubstr("No space left on device"));
  EXPECT_THAT(what, HasSubstr("free some space"));
}

TEST(FullDisk, LeavesTheOldFileAndNoTemporary) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "disk");
  const fs::path disk = folder / "disk";
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "mounting a small disk needs root: " << std::generic_category().message(errno);
  }
  write_file(disk / "a", "old");
  std::string what;
  EXPECT_EQ(code_of([&] { write_file(disk / "a", std::string(1 << 20, 'x')); }, &what), ErrorCode::no_space);
  EXPECT_THAT(what, HasSubstr("path: " + (disk / "a").string()));
  EXPECT_EQ(read_text(disk / "a"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(disk), fs::directory_iterator()), 1);
  ::umount(disk.c_str());
}

TEST(Sha256Of, EqualsThePublishedDigests) {
  // FIPS 180-2, appendix B.
  const std::string abc = "abc";
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(abc.data()), abc.size());
  EXPECT_EQ(sha256_of(bytes), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of(std::span<const std::uint8_t>()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const TemporaryFolder folder;
  write_file(folder / "million", std::string(1'000'000, 'a'));
  EXPECT_EQ(sha256_of(folder / "million"),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(KindlingHome, IsTheVariableElseTheUsersCache) {
  const ScopedVariable user("HOME", "/home/someone");
  {
    const ScopedVariable home("KINDLING_HOME", "/data/k");
    EXPECT_EQ(kindling_home(), "/data/k");
  }
  for (const auto& value : {std::optional<std::string>(), std::optional<std::string>("")}) {
    const ScopedVariable home("KINDLING_HOME", value);
    EXPECT_EQ(kindling_home(), "/home/someone/.cache/kindling");
  }
}

TEST(HumanBytes, UsesDecimalUnitsWithOneDigit) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1000), "1.0 kB");
  EXPECT_EQ(human_bytes(4'600'000), "4.6 MB");
  EXPECT_EQ(human_bytes(999'949), "999.9 kB");
  EXPECT_EQ(human_bytes(999'999), "1.0 MB");
  EXPECT_EQ(human_bytes(~std::uint64_t{0}), "18.4 EB");
}

}  // namespace
}  // namespace kindling
