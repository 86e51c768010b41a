#pragma once
/// Unpacking archives from the web into a folder, and nowhere else.

#include <kindling/core/files.hpp>
#include <kindling/core/listener.hpp>

#include <cstdint>

namespace kindling {

struct ExtractOptions {
  std::uint64_t max_bytes = std::uint64_t{256} << 30;  ///< unpacked
  std::uint64_t max_files = 5'000'000;                 ///< files, folders and links
  /// Unpacked bytes to a byte of the archive. Looked at once `ratio_from` bytes are unpacked, for small files
  /// of zeros are no attack.
  double max_ratio = 250;
  std::uint64_t ratio_from = std::uint64_t{256} << 20;
  std::shared_ptr<Listener> listener = silent_listener();
};

/// Unpacks a tar (also with gzip, bzip2, xz or zstd) or zip archive into `target`, which is made, or is an empty
/// folder. Refused with `bad_data`, naming the entry: absolute paths, "..", symbolic and hard links that leave
/// the target, devices and pipes, damaged archives; with `limit`: more than the options allow. Permissions and
/// owners are not restored. After an error the target is as it was. Also throws `not_found`, `io`, `no_space`
/// and `interrupted`.
void extract_archive(const fs::path& archive, const fs::path& target, const ExtractOptions& options = {});

}  // namespace kindling
