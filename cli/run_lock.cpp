#include "cli/run_lock.hpp"

#include <kindling/core/error.hpp>

#include "cli/output.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kindling::cli {

namespace {

constexpr const char* lock_file = "lock";
constexpr std::uint64_t most_text = 256;

std::string holder_of(const fs::path& path) {
  try {
    std::string text = read_text(path, most_text);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text.empty() ? "unknown" : safe(text);
  } catch (const Error&) {
    return "unknown";
  }
}

/// The file may have been taken away by its holder between opening and locking it.
bool is_still_there(int fd, const fs::path& path) {
  struct stat opened {}, named {};
  return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

}  // namespace

RunLock::RunLock(const fs::path& folder) : path_(folder / lock_file) {
  for (;;) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) throw system_error(errno, "write the file", path_);
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) {
      if (is_still_there(fd_, path_)) break;
      ::close(fd_);
      continue;
    }
    const int why = errno;
    ::close(fd_);
    if (why != EWOULDBLOCK) throw system_error(why, "lock the file", path_);
    throw Error(ErrorCode::usage, "another process works on this run",
                {{"run", folder}, {"process", holder_of(path_)}}, "wait until it has ended, or stop it");
  }
  const std::string text = fmt::format("{}\n", ::getpid());
  // Who holds it is a help for people: the lock holds without it.
  const bool said = ::ftruncate(fd_, 0) == 0 && ::pwrite(fd_, text.data(), text.size(), 0) > 0;
  (void)said;
}

RunLock::~RunLock() {
  ::unlink(path_.c_str());
  ::close(fd_);
}

}  // namespace kindling::cli
