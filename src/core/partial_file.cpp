#include "core/partial_file.hpp"

#include <kindling/core/error.hpp>
#include <kindling/core/json.hpp>

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kindling::detail {

namespace {

fs::path with_ending(fs::path path, const char* ending) {
  path += ending;
  return path;
}

void make_folder(const fs::path& folder) {
  if (folder.empty()) return;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw system_error(error.value(), "create the folder", folder);
}

/// False when another holds the lock. File systems without locks let everybody through.
bool try_lock(int fd) {
  return ::flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

void wait_for_lock(int fd) {
  while (::flock(fd, LOCK_EX) != 0 && errno == EINTR) {
  }
}

/// The file may have been renamed or removed by the one who held the lock.
bool still_named(int fd, const fs::path& path) {
  struct stat open_file {};
  struct stat named {};
  return ::fstat(fd, &open_file) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

}  // namespace

PartialFile::PartialFile(fs::path target, const std::function<void()>& on_wait)
    : target_(std::move(target)),
      path_(with_ending(target_, ".part")),
      origin_path_(with_ending(target_, ".part.json")) {
  std::error_code ignored;
  if (fs::is_directory(target_, ignored)) {
    throw Error(ErrorCode::io, "cannot download to this name: it is a folder", {{"path", target_}},
                "name a file in it");
  }
  make_folder(target_.parent_path());
  open_locked(on_wait);
  size_ = stated_size(file_, path_);
  read_origin();
}

void PartialFile::open_locked(const std::function<void()>& on_wait) {
  do {
    file_ = FileDescriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    if (!file_.is_open()) throw write_error(errno, path_);
    if (!try_lock(file_.get())) {
      if (!waited_) on_wait();
      waited_ = true;
      wait_for_lock(file_.get());
    }
  } while (!still_named(file_.get(), path_));
}

void PartialFile::read_origin() {
  try {
    const Json json = parse_json(read_text(origin_path_, 1 << 16), origin_path_.string());
    origin_ = {json.at("url"), json.at("etag"), json.at("last_modified")};
  } catch (const std::exception&) {
    // Missing or damaged: the part then counts as of unknown origin.
    origin_ = {};
  }
}

PartialFile::~PartialFile() {
  if (size_ > 0 || !file_.is_open()) return;
  ::unlink(origin_path_.c_str());
  ::unlink(path_.c_str());
}

void PartialFile::restart(Origin origin) {
  discard();
  origin_ = std::move(origin);
  const Json json{{"url", origin_.url}, {"etag", origin_.etag}, {"last_modified", origin_.last_modified}};
  write_file(origin_path_, json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void PartialFile::discard() {
  ::unlink(origin_path_.c_str());
  origin_ = {};
  if (::ftruncate(file_.get(), 0) != 0) throw write_error(errno, path_);
  size_ = 0;
}

void PartialFile::append(const void* data, std::size_t size) {
  write_all(file_.get(), data, size, path_);
  size_ += size;
}

void PartialFile::finish() {
  sync_to_disk(file_.get(), path_);
  if (::rename(path_.c_str(), target_.c_str()) != 0) throw write_error(errno, target_);
  file_.close();
  ::unlink(origin_path_.c_str());
  sync_folder(folder_of(target_));
}

}  // namespace kindling::detail
