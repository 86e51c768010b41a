#include <kindling/core/error.hpp>
#include <kindling/core/files.hpp>

#include "core/file_descriptor.hpp"
#include "core/leftovers.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kindling {

namespace {

template <class Container>
Container read_whole(const fs::path& path, std::uint64_t max_bytes) {
  const auto file = detail::open_for_reading(path);
  const std::uint64_t size = detail::stated_size(file, path);
  const auto too_large = [&](std::uint64_t seen) {
    return Error(ErrorCode::limit, "the file is larger than allowed",
                 {{"path", path}, {"bytes", seen}, {"allowed", max_bytes}});
  };
  if (size > max_bytes) throw too_large(size);
  Container out;
  out.reserve(size);
  detail::read_blocks(file, path, [&](std::span<const std::uint8_t> block) {
    // The stated size is a promise only: files grow, and those of /proc state none.
    if (block.size() > max_bytes - out.size()) throw too_large(out.size() + block.size());
    out.insert(out.end(), block.begin(), block.end());
  });
  return out;
}

}  // namespace

Bytes read_file(const fs::path& path, std::uint64_t max_bytes) {
  return read_whole<Bytes>(path, max_bytes);
}

std::string read_text(const fs::path& path, std::uint64_t max_bytes) {
  return read_whole<std::string>(path, max_bytes);
}

MappedFile::MappedFile(const fs::path& path) : path_(path) {
  const auto file = detail::open_for_reading(path);
  const std::uint64_t size = detail::stated_size(file, path);
  if (size == 0) return;
  if (size > SIZE_MAX) throw Error(ErrorCode::limit, "the file is too large to be mapped", {{"path", path}});
  const auto length = static_cast<std::size_t>(size);
  void* start = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, file.get(), 0);
  if (start == MAP_FAILED) throw system_error(errno, "map the file into memory", path);
  keep_ =
      std::shared_ptr<const void>(start, [length](const void* p) { ::munmap(const_cast<void*>(p), length); });
  bytes_ = {static_cast<const std::uint8_t*>(start), length};
}

void MappedFile::release(std::string_view part) const {
  // Whole pages of it alone: others belong to its neighbours too.
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto start = reinterpret_cast<std::uintptr_t>(part.data());
  const std::uintptr_t first = (start + page - 1) / page * page, last = (start + part.size()) / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  std::error_code ignored;
  if (fs::is_symlink(path_, ignored)) path_ = fs::weakly_canonical(path_);
  struct stat status {};
  const bool exists = ::stat(path_.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) {
    throw Error(ErrorCode::io, "cannot write the file: a folder of this name exists", {{"path", path_}},
                "choose another name");
  }
  if (exists && !S_ISREG(status.st_mode)) {
    // A device or pipe, e.g. /dev/stdout: renaming a file over it would replace the device itself.
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd_ < 0) throw detail::write_error(errno, path_);
    return;
  }
  fs::path temporary = detail::temporary_name(detail::folder_of(path_));
  fd_ = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) throw detail::write_error(errno, path_);
  temporary_ = std::move(temporary);
  if (exists) (void)::fchmod(fd_, status.st_mode & 07777);
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, std::size_t size) {
  if (fd_ < 0)
    throw Error(ErrorCode::internal, "write to a file that is committed already", {{"path", path_}});
  detail::write_all(fd_, data, size, path_);
}

void AtomicFile::commit() {
  if (fd_ < 0) throw Error(ErrorCode::internal, "the file is committed already", {{"path", path_}});
  detail::sync_to_disk(fd_, path_);
  // Network file systems report a full disk only here.
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR)
    throw detail::write_error(errno, path_);
  if (temporary_.empty()) return;
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw detail::write_error(errno, path_);
  temporary_.clear();
  detail::sync_folder(detail::folder_of(path_));
}

void write_file(const fs::path& path, std::string_view contents) {
  AtomicFile file(path);
  file.write(contents);
  file.commit();
}

void write_file(const fs::path& path, std::span<const std::uint8_t> contents) {
  AtomicFile file(path);
  file.write(contents.data(), contents.size());
  file.commit();
}

fs::path kindling_home() {
  if (const char* home = std::getenv("KINDLING_HOME"); home != nullptr && *home != '\0') return home;
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return fs::path(home) / ".cache" / "kindling";
  }
  if (const passwd* user = ::getpwuid(::getuid()); user != nullptr && user->pw_dir != nullptr) {
    return fs::path(user->pw_dir) / ".cache" / "kindling";
  }
  throw Error(ErrorCode::usage, "there is no home folder to keep downloads in", {},
              "set KINDLING_HOME to a folder for them");
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array units{"kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  // 999.95 would be printed as 1000.0.
  while (value >= 999.95 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace kindling
