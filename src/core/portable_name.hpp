#pragma once
/// Names of files and folders out of foreign text, that every file system takes and that lead nowhere else.

#include <string>
#include <string_view>

namespace kindling::detail {

/// The text as one step of a path: without separators, control characters and what Windows forbids, no dot at
/// its ends, no device name ("con"), at most 80 bytes of whole characters. Never empty: "_" where nothing is
/// left.
std::string portable_name(std::string_view text);

/// A word of a-z, 0-9 and '-' that still tells the text, of at most `longest` letters; may be empty.
std::string slug(std::string_view text, std::size_t longest);

}  // namespace kindling::detail
