#pragma once
// Names of checkpoints in their folder: 000001.safetensors, 000002.safetensors … and best.safetensors.

#include <kindling/core/files.hpp>

#include <cstdint>
#include <vector>

namespace kindling::detail {

inline constexpr const char* best_file = "best.safetensors";

struct NumberedFile {
  std::int64_t number = 0;
  fs::path path;
};

/// The newest first.
std::vector<NumberedFile> checkpoint_files(const fs::path& folder);
fs::path checkpoint_path(const fs::path& folder, std::int64_t number);

}  // namespace kindling::detail
