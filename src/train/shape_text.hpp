#pragma once
/// A tensor's shape in a message.

#include <string>

#include <c10/util/ArrayRef.h>
#include <fmt/ranges.h>

namespace kindling::detail {

/// `[2, 3]`.
inline std::string shape_text(c10::IntArrayRef sizes) {
  return fmt::format("[{}]", fmt::join(sizes.begin(), sizes.end(), ", "));
}

}  // namespace kindling::detail
