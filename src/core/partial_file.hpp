#pragma once
/// A download in the making: `<target>.part`, beside it `<target>.part.json` with where it came from. Both go
/// when the file gets its name.

#include <kindling/core/files.hpp>

#include "core/file_descriptor.hpp"

#include <functional>
#include <string>

namespace kindling::detail {

/// What an answer said of the file, to ask later for the rest of the same one (RFC 9110, §13.1.5).
struct Origin {
  std::string url;
  std::string etag;           ///< empty where there is none or only a weak one
  std::string last_modified;  ///< as sent

  /// The value of If-Range, or an empty string.
  const std::string& validator() const { return etag.empty() ? last_modified : etag; }
};

class PartialFile {
 public:
  /// Opens `<target>.part` with what is there, and makes the target's folder where needed. Held by one
  /// download at a time, in all processes: `on_wait` is called before waiting for another to end.
  PartialFile(fs::path target, const std::function<void()>& on_wait);
  /// Keeps what arrived for the next time; an empty file goes.
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  /// Another download of the same target ended while this one waited.
  bool waited() const { return waited_; }
  const fs::path& target() const { return target_; }
  const fs::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  const Origin& origin() const { return origin_; }

  /// Empties the file and notes where its new contents come from.
  void restart(Origin origin);
  /// Empties the file; its origin is unknown again.
  void discard();
  void append(const void* data, std::size_t size);
  /// Flushes to the disk and gives the file the target's name.
  void finish();

 private:
  void open_locked(const std::function<void()>& on_wait);
  void read_origin();

  fs::path target_;
  fs::path path_;
  fs::path origin_path_;
  FileDescriptor file_;
  std::uint64_t size_ = 0;
  Origin origin_;
  bool waited_ = false;
};

}  // namespace kindling::detail
