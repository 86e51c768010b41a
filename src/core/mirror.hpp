#pragma once
/// KINDLING_MIRROR: a folder or an address that is asked first for weights and data sets.

#include <filesystem>
#include <optional>
#include <string>

namespace kindling::detail {

struct Mirror {
  std::filesystem::path folder;  ///< empty where it is an address
  std::string address;           ///< http or https, ending in '/'

  /// Where it would have a file of this name.
  std::string url_of(const std::string& file_name) const;
};

/// Nothing where the variable is not set. Throws `not_found` for a folder that does not exist, and `usage`
/// for what is neither a folder nor an http address.
std::optional<Mirror> mirror_from_environment();

}  // namespace kindling::detail
