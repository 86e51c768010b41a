#include <kindling/collab/check.hpp>
#include <kindling/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

namespace kindling {

namespace {

/// Rows of which nothing can be learnt, and the others.
struct SortedRows {
  std::vector<std::int64_t> whole;
  std::int64_t without_user = 0, without_item = 0, without_rating = 0;
};

struct ColumnNames {
  std::string user, item, rating;
};

ColumnNames names_of(const Table& table, const InteractionsOptions& o) {
  const auto name = [&](const std::optional<std::string>& given, int place) {
    return table.names()[static_cast<std::size_t>(table.column(given ? ColumnRef(*given) : ColumnRef(place)))];
  };
  return {name(o.user_name, 0), name(o.item_name, 1), name(o.rating_name, 2)};
}

SortedRows sort_rows(const Table& table, const ColumnNames& names) {
  SortedRows rows;
  const std::vector<double> ratings = table.numbers(names.rating);
  for (std::int64_t row = 0; row < table.n_rows(); ++row) {
    const bool no_user = table.is_null(row, names.user), no_item = table.is_null(row, names.item);
    const bool no_rating = std::isnan(ratings[static_cast<std::size_t>(row)]);
    rows.without_user += no_user;
    rows.without_item += no_item;
    rows.without_rating += no_rating;
    if (!no_user && !no_item && !no_rating) rows.whole.push_back(row);
  }
  return rows;
}

void find_missing(const SortedRows& rows, const ColumnNames& names, std::vector<RatingFinding>& found) {
  for (const auto& [n, name] : {std::pair(rows.without_user, names.user), std::pair(rows.without_item, names.item),
                                std::pair(rows.without_rating, names.rating)}) {
    if (n > 0) found.push_back({RatingProblem::missing, fmt::format("rows without a value in '{}': {}; training stops at them", name, n)});
  }
}

void find_in_values(const Interactions& all, std::vector<RatingFinding>& found) {
  std::map<float, std::int64_t> counts;
  for (const float value : all.rows().values) ++counts[value];
  if (counts.size() == 1) {
    found.push_back({RatingProblem::one_value,
                     fmt::format("all ratings are {}: who dealt with what is all there is to learn; rank items with --arch ease",
                                 counts.begin()->first)});
    return;
  }
  // 0 where others go from 1 to 10: a step as large as that between others would be a rating as they are.
  const auto zero = counts.find(0.0f);
  if (zero == counts.end() || zero != counts.begin() || counts.size() < 3) return;
  const float lowest = std::next(zero)->first, step = std::next(zero, 2)->first - lowest;
  const bool apart = lowest > step;
  const bool frequent = std::all_of(counts.begin(), counts.end(), [&](const auto& c) { return c.second <= zero->second; });
  if (apart || frequent)
    found.push_back({RatingProblem::zero_code,
                     fmt::format("{} of {} ratings are 0, the others begin at {}: does 0 mean that nothing was rated?", zero->second,
                                 all.size(), lowest)});
}

void find_in_users(const Interactions& all, std::vector<RatingFinding>& found) {
  constexpr std::size_t many = 10;
  std::int64_t one = 0, same = 0;
  for (std::int64_t user = 0; user < all.n_users(); ++user) {
    const auto values = all.rows().row(user);
    one += values.size() == 1;
    same += values.size() >= many && std::all_of(values.begin(), values.end(), [&](float v) { return v == values[0]; });
  }
  if (one * 10 > all.n_users())
    found.push_back({RatingProblem::one_rating_users,
                     fmt::format("{} of {} users have one rating: where it validates, nothing is known of them", one, all.n_users())});
  if (same > 0)
    found.push_back({RatingProblem::same_rating_users,
                     fmt::format("{} of {} users gave the same rating to all of their {} items or more: it tells nothing of the items",
                                 same, all.n_users(), many)});
}

void find_in_items(const Interactions& all, std::vector<RatingFinding>& found) {
  constexpr std::size_t few = 3;
  const CompressedRows by_item = all.rows().transposed();
  std::int64_t rare = 0, ratings = 0;
  for (std::int64_t item = 0; item < by_item.n_rows(); ++item) {
    const std::size_t n = by_item.columns(item).size();
    if (n >= few) continue;
    ++rare;
    ratings += static_cast<std::int64_t>(n);
  }
  if (rare * 4 > all.n_items())
    found.push_back({RatingProblem::rare_items,
                     fmt::format("{} of {} items have less than {} ratings ({} in all): what is learnt of them is mostly chance", rare,
                                 all.n_items(), few, ratings)});
}

}  // namespace

std::string_view name_of(RatingProblem problem) {
  constexpr std::string_view names[] = {"missing", "repeated", "one value", "zeros", "one rating", "rare items", "same rating"};
  return names[static_cast<std::size_t>(problem)];
}

std::vector<RatingFinding> check_ratings(const Table& table, const InteractionsOptions& o) {
  if (table.n_rows() == 0) throw Error(ErrorCode::bad_data, "the table has no rows", {{"path", table.source()}});
  const ColumnNames names = names_of(table, o);
  const SortedRows rows = sort_rows(table, names);
  std::vector<RatingFinding> found;
  find_missing(rows, names, found);
  if (rows.whole.empty()) return found;
  const bool all_whole = static_cast<std::int64_t>(rows.whole.size()) == table.n_rows();
  const Interactions all = Interactions::from_df(
      all_whole ? table : table.take(rows.whole), {.user_name = names.user, .item_name = names.item, .rating_name = names.rating});
  if (all.duplicates() > 0)
    found.push_back({RatingProblem::repeated,
                     fmt::format("{} ratings are of a user and an item that come again: a split may validate what it taught",
                                 all.duplicates())});
  find_in_values(all, found);
  find_in_users(all, found);
  find_in_items(all, found);
  return found;
}

}  // namespace kindling
