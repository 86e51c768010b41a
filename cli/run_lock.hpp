#pragma once
/// One process at a time works on a run folder.

#include <kindling/core/files.hpp>

namespace kindling::cli {

/// Held as long as it lives. The lock is the kernel's, so that it ends with its process, however that ends; the file
/// `lock` in the folder only says who holds it.
class RunLock {
 public:
  /// Throws `usage` naming the process that holds it.
  explicit RunLock(const fs::path& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  fs::path path_;
  int fd_ = -1;
};

}  // namespace kindling::cli
