#pragma once
/// What processes that were killed left half-written.

#include <filesystem>

namespace kindling::detail {

/// A name for a temporary in `folder` that says whose it is: in the file's own folder, so that a rename stays on one file
/// system, and short, so that it is valid wherever the file's own name is.
std::filesystem::path temporary_name(const std::filesystem::path& folder);

/// Removes temporaries, files and folders, that lie in `folder` and whose process is no more.
void remove_leftovers(const std::filesystem::path& folder);

}  // namespace kindling::detail
