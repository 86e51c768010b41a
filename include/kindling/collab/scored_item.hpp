#pragma once
/// An item with a number to sort it by.

#include <string>

namespace kindling {

/// The number is a rating, a ranking's score, a similarity, or a bias: as the function that gives it says.
struct ScoredItem {
  std::string item;
  double score = 0;
};

}  // namespace kindling
