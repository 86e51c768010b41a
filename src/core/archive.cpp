#include <kindling/core/archive.hpp>
#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>

#include "core/file_descriptor.hpp"
#include "core/printable.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kindling {

namespace {

using Clock = std::chrono::steady_clock;

std::string shown(const std::string& name) {
  return detail::printable(name, detail::LineBreaks::escape);
}

Error refused(const std::string& name, const std::string& reason) {
  return Error(ErrorCode::bad_data, "the archive is refused: " + reason, {{"entry", shown(name)}},
               "get the archive from where you trust it; nothing of it was unpacked");
}

/// A path of the archive as steps below the target; "." steps are left out.
fs::path inner_path(const std::string& name, const char* what) {
  if (name.starts_with('/')) throw refused(name, fmt::format("{} is an absolute path", what));
  fs::path out;
  for (const fs::path& step : fs::path(name)) {
    if (step == "..") throw refused(name, fmt::format("{} leads out of the folder", what));
    if (!step.empty() && step != ".") out /= step;
  }
  return out;
}

/// A symbolic link, made when all files are there: until then no entry can be written through one.
struct Link {
  fs::path path;  ///< below the target
  std::string points_to;
};

/// Throws unless the link, seen from its folder, stays below the target. ".." counts only at the beginning: behind
/// a name it would depend on what that name is.
void check_link(const Link& link) {
  if (link.points_to.empty() || link.points_to.starts_with('/'))
    throw refused(link.path.string(), "a symbolic link leads to an absolute path");
  auto depth = static_cast<std::ptrdiff_t>(std::distance(link.path.begin(), link.path.end())) - 1;
  bool below = false;
  for (const fs::path& step : fs::path(link.points_to)) {
    if (step == "..") {
      if (below || --depth < 0) throw refused(link.path.string(), "a symbolic link leads out of the folder");
    } else if (!step.empty() && step != ".") {
      below = true;
    }
  }
}

class Extractor {
 public:
  Extractor(const fs::path& archive, const fs::path& target, const ExtractOptions& options)
      : file_(archive), target_(target), options_(options), source_(archive_read_new(), archive_read_free) {
    if (!source_) throw Error(ErrorCode::limit, "not enough memory to open the archive", {{"path", archive}});
    packed_ = detail::stated_size(detail::open_for_reading(archive), archive);
    archive_read_support_filter_gzip(source_.get());
    archive_read_support_filter_bzip2(source_.get());
    archive_read_support_filter_xz(source_.get());
    archive_read_support_filter_zstd(source_.get());
    archive_read_support_format_tar(source_.get());
    archive_read_support_format_zip(source_.get());
    constexpr std::size_t block = std::size_t{1} << 16;
    if (archive_read_open_filename(source_.get(), archive.c_str(), block) != ARCHIVE_OK) throw damaged();
  }

  void run() {
    archive_entry* entry = nullptr;
    for (;;) {
      const int status = archive_read_next_header(source_.get(), &entry);
      if (status == ARCHIVE_EOF) break;
      if (status != ARCHIVE_OK && status != ARCHIVE_WARN) throw damaged();
      take(entry);
    }
    for (const Link& link : links_) make_link(link);
    tell(true);
  }

 private:
  Error damaged() const {
    const char* text = archive_error_string(source_.get());
    const std::string reason = text == nullptr ? "it cannot be read" : text;
    if (count_ == 0 && reason.find("Unrecognized archive format") != std::string::npos) {
      return Error(ErrorCode::bad_data, "this is not a tar or zip archive", {{"path", file_}},
                   "check the address that it came from: the server may have sent a web page");
    }
    return Error(ErrorCode::bad_data, "the archive is damaged: " + shown(reason), {{"path", file_}},
                 "delete it and get it again; it may be cut short");
  }

  static std::string text(const char* utf8, const char* raw) {
    if (utf8 != nullptr) return utf8;
    return raw == nullptr ? std::string() : raw;
  }

  void take(archive_entry* entry) {
    if (interrupt_requested()) throw Error(ErrorCode::interrupted, "unpacking was stopped", {{"path", file_}});
    if (++count_ > options_.max_files) {
      throw Error(ErrorCode::limit, "the archive holds more files than allowed",
                  {{"path", file_}, {"allowed", options_.max_files}}, "raise max_files if you trust it");
    }
    const std::string name = text(archive_entry_pathname_utf8(entry), archive_entry_pathname(entry));
    if (name.empty()) throw refused(name, "an entry has no name");
    const fs::path path = inner_path(name, "an entry's name");
    const std::string hard = text(archive_entry_hardlink_utf8(entry), archive_entry_hardlink(entry));
    if (!hard.empty()) return take_hard_link(path, hard);
    switch (archive_entry_filetype(entry)) {
      case AE_IFDIR:
        return make_folder(path);
      case AE_IFREG:
        return take_file(path, name);
      case AE_IFLNK:
        return take_link({path, text(archive_entry_symlink_utf8(entry), archive_entry_symlink(entry))});
      default:
        throw refused(name, "an entry is a device or a pipe");
    }
  }

  void make_folder(const fs::path& path) {
    std::error_code error;
    fs::create_directories(target_ / path, error);
    if (error) throw system_error(error.value(), "create the folder", target_ / path);
  }

  void take_file(const fs::path& path, const std::string& name) {
    if (path.empty()) throw refused(name, "an entry's name is the folder itself");
    make_folder(path.parent_path());
    const fs::path full = target_ / path;
    // Of two entries with one name the later counts; removing the earlier keeps a file that a hard link shares.
    ::unlink(full.c_str());
    const detail::FileDescriptor out(
        ::open(full.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
    if (!out.is_open()) throw detail::write_error(errno, full);
    for (;;) {
      const la_ssize_t got = archive_read_data(source_.get(), buffer_.data(), buffer_.size());
      if (got < 0) throw damaged();
      if (got == 0) break;
      count_bytes(static_cast<std::uint64_t>(got));
      detail::write_all(out.get(), buffer_.data(), static_cast<std::size_t>(got), full);
      tell(false);
    }
  }

  void count_bytes(std::uint64_t more) {
    if (interrupt_requested()) throw Error(ErrorCode::interrupted, "unpacking was stopped", {{"path", file_}});
    unpacked_ += more;
    if (unpacked_ > options_.max_bytes) {
      throw Error(ErrorCode::limit, "the archive unpacks to more than allowed",
                  {{"path", file_}, {"allowed", human_bytes(options_.max_bytes)}},
                  "raise max_bytes if you trust it");
    }
    const double ratio = static_cast<double>(unpacked_) / static_cast<double>(std::max<std::uint64_t>(packed_, 1));
    if (unpacked_ > options_.ratio_from && ratio > options_.max_ratio) {
      throw Error(ErrorCode::limit, "the archive unpacks to far more than its own size",
                  {{"path", file_}, {"bytes", packed_}, {"unpacked so far", unpacked_}},
                  "it looks like one made to fill a disk; raise max_ratio if you trust it");
    }
  }

  void take_hard_link(const fs::path& path, const std::string& name) {
    const fs::path to = inner_path(name, "a hard link's target");
    struct stat status {};
    if (::lstat((target_ / to).c_str(), &status) != 0 || !S_ISREG(status.st_mode) || path.empty())
      throw refused(name, "a hard link leads to what is no file of the archive");
    if (path == to) return;
    make_folder(path.parent_path());
    ::unlink((target_ / path).c_str());
    if (::link((target_ / to).c_str(), (target_ / path).c_str()) != 0)
      throw system_error(errno, "write the link", target_ / path);
  }

  void take_link(Link link) {
    check_link(link);
    if (link.path.empty()) throw refused(link.points_to, "an entry's name is the folder itself");
    links_.push_back(std::move(link));
  }

  void make_link(const Link& link) {
    // A link may lie in a folder that an earlier link of this list stands for: there its ".." would count from
    // elsewhere.
    fs::path folder = target_;
    for (const fs::path& step : link.path.parent_path()) {
      folder /= step;
      if (fs::is_symlink(fs::symlink_status(folder)))
        throw refused(link.path.string(), "an entry lies behind a symbolic link");
    }
    make_folder(link.path.parent_path());
    const fs::path full = target_ / link.path;
    struct stat status {};
    if (::lstat(full.c_str(), &status) == 0) {
      if (S_ISDIR(status.st_mode)) throw refused(link.path.string(), "a folder and a link have one name");
      ::unlink(full.c_str());
    }
    if (::symlink(link.points_to.c_str(), full.c_str()) != 0) throw system_error(errno, "write the link", full);
  }

  void tell(bool finished) {
    const std::chrono::duration<double> elapsed = Clock::now() - began_;
    options_.listener->progress({.what = "Unpacking " + file_.filename().string(),
                                 .done = archive_filter_bytes(source_.get(), -1),
                                 .total = static_cast<std::int64_t>(packed_),
                                 .unit = "B",
                                 .elapsed_s = elapsed.count(),
                                 .finished = finished});
  }

  const fs::path& file_;
  const fs::path& target_;
  const ExtractOptions& options_;
  const std::unique_ptr<archive, int (*)(archive*)> source_;
  const Clock::time_point began_ = Clock::now();
  std::vector<char> buffer_ = std::vector<char>(std::size_t{1} << 18);
  std::vector<Link> links_;
  std::uint64_t packed_ = 0;
  std::uint64_t unpacked_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace

void extract_archive(const fs::path& archive, const fs::path& target, const ExtractOptions& options) {
  std::error_code error;
  const bool existed = fs::exists(target, error);
  if (existed && (!fs::is_directory(target, error) || !fs::is_empty(target, error))) {
    throw Error(ErrorCode::usage, "an archive is unpacked into an empty or a new folder", {{"path", target}},
                "choose another folder");
  }
  fs::create_directories(target, error);
  if (error) throw system_error(error.value(), "create the folder", target);
  try {
    Extractor(archive, target, options).run();
  } catch (...) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(target, ignored)) fs::remove_all(entry.path(), ignored);
    if (!existed) fs::remove(target, ignored);
    throw;
  }
}

}  // namespace kindling
