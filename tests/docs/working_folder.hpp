#pragma once
/// A folder of a test's own to work in: the guides' programs name files beside them.

#include "core/temporary_folder.hpp"

namespace kindling::testing {

class WorkingFolder {
 public:
  WorkingFolder() : before_(fs::current_path()) { fs::current_path(folder_.path()); }
  ~WorkingFolder() { fs::current_path(before_); }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;

 private:
  TemporaryFolder folder_;
  fs::path before_;
};

}  // namespace kindling::testing
