#pragma once
/// What is wrong with ratings before anything is learnt from them.

#include <kindling/collab/interactions.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace kindling {

enum class RatingProblem { missing, repeated, one_value, zero_code, one_rating_users, rare_items, same_rating_users };

/// "missing", "repeated", "one value" …
std::string_view name_of(RatingProblem problem);

struct RatingFinding {
  RatingProblem problem;
  std::string text;  ///< a sentence
};

/// Rows without a user, an item or a rating; pairs that come twice; ratings that are all one value; a zero that stands apart from
/// the other ratings and so may mean "not rated"; users with one rating, and items with less than three, where they are many;
/// users who gave ten items or more the same rating. `min_rating` and `binary` are not looked at. Throws `bad_data` for a table
/// without rows.
std::vector<RatingFinding> check_ratings(const Table& table, const InteractionsOptions& options = {});

}  // namespace kindling
