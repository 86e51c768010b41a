#pragma once
// Which way a column of the record is better.

#include <string_view>

namespace kindling::detail {

/// fastai's rule: losses and errors are minimised, anything else is maximised.
inline bool less_is_better(std::string_view column) {
  return column.find("loss") != std::string_view::npos || column.find("error") != std::string_view::npos;
}

}  // namespace kindling::detail
