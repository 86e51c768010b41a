#pragma once
/// Labels that look like another label written wrongly.

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace kindling::detail {

struct OddLabel {
  std::string label;
  std::string meant;   ///< the more frequent one, or the label without the blanks at its ends
  std::string reason;  ///< "differs in upper and lower case only" …
};

/// `counts` are photos a label. Labels that differ in case, blanks, `_` or `-` only; blanks at the ends of a
/// label; and a rare label that is one edit (a letter more, fewer, other, or two changed about) from one at
/// least five times as frequent. Numbers are never taken for typos of each other, nor are short labels.
std::vector<OddLabel> odd_labels(const std::map<std::string, std::size_t>& counts);

}  // namespace kindling::detail
