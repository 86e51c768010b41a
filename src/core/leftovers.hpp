#pragma once
/// What processes that were killed left half-written.

#include <filesystem>
#include <string>

namespace kindling::detail {

/// A name for a temporary in `folder` that says which process it belongs to: short, so that it is valid wherever the file's own is.
std::filesystem::path temporary_name(const std::filesystem::path& folder);

/// Removes temporaries in `folder` (not below it) of processes that are no more.
void remove_leftovers(const std::filesystem::path& folder);

}  // namespace kindling::detail
