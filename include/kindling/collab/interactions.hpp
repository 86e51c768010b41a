#pragma once
/// Who dealt with what: ratings, purchases or clicks as users by items in compressed rows.
///
///   Interactions all = Interactions::from_df(read_table("ratings.csv"));     // user, item, rating
///   auto [train, test] = hold_out(all);                                      // a fifth of each user's items
///   TopN top = top_n_learner(train);

#include <kindling/data/splitters.hpp>
#include <kindling/tabular/category_map.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace kindling {

/// A sparse matrix in compressed rows (CSR). Columns ascend in each row, and none comes twice.
struct CompressedRows {
  std::int64_t n_columns = 0;
  std::vector<std::int64_t> indptr{0};  ///< row r is at indptr[r] … indptr[r + 1]
  std::vector<std::int32_t> indices;    ///< columns
  std::vector<float> values;

  std::int64_t n_rows() const { return static_cast<std::int64_t>(indptr.size()) - 1; }
  std::int64_t size() const { return static_cast<std::int64_t>(indices.size()); }
  std::span<const std::int32_t> columns(std::int64_t row) const;
  std::span<const float> row(std::int64_t row) const;
  CompressedRows transposed() const;
  /// These rows alone, in this order.
  CompressedRows take(const std::vector<std::int64_t>& rows) const;
  /// Throws `bad_data` for places that are out of order or out of range, and values that are not finite.
  void check() const;
};

/// Options with fastai's names; columns that are left out are the table's first, second and third.
struct InteractionsOptions {
  std::optional<std::string> user_name = std::nullopt;
  std::optional<std::string> item_name = std::nullopt;
  std::optional<std::string> rating_name = std::nullopt;
  /// Rows of a lower rating are left out.
  std::optional<double> min_rating = std::nullopt;
  /// Implicit feedback: every row counts 1. Without `min_rating` the table then needs no ratings.
  bool binary = false;
};

struct InteractionSplit;

/// Immutable; copies share the rows. Users and items are numbered in ascending order of their names, those without a
/// row (all below `min_rating`, or in the other part of a split) included.
class Interactions {
 public:
  using Options = InteractionsOptions;
  /// Of a user and item that come twice, the last row counts. Throws `bad_data` for a table without rows, and for a
  /// missing cell, naming its row.
  static Interactions from_df(const Table& table, const Options& options = {});
  /// The training and validation rows apart, as any splitter gives them: `RandomSplitter(0.2, 42)(rows_of(table))` is how
  /// fastai splits ratings.
  static InteractionSplit from_df(const Table& table, const Splits& splits, const Options& options = {});
  /// Throws as `CompressedRows::check`, and where names and rows do not fit.
  Interactions(CategoryMap users, CategoryMap items, CompressedRows rows);

  std::int64_t n_users() const { return users().size(); }
  std::int64_t n_items() const { return items().size(); }
  /// Pairs of a user and an item.
  std::int64_t size() const { return rows_->size(); }
  const CategoryMap& users() const { return names_->users; }
  const CategoryMap& items() const { return names_->items; }
  /// Users by items.
  const CompressedRows& rows() const { return *rows_; }
  /// Rows of the table whose user and item came again later.
  std::int64_t duplicates() const { return duplicates_; }
  /// A user's number, by name. Throws `not_found` with the nearest name.
  std::int64_t user(const std::string& name) const;
  std::int64_t item(const std::string& name) const;
  /// Whether the other has the same users and items by the same numbers.
  bool same_names(const Interactions& other) const;
  /// The same users and items with other rows.
  Interactions with_rows(CompressedRows rows) const;
  /// "610 users, 9724 items, 100836 pairs (1.70 % of all)", and how many rows came twice.
  std::string summary() const;

 private:
  struct Names {
    CategoryMap users, items;
  };
  Interactions(std::shared_ptr<const Names> names, CompressedRows rows, std::int64_t duplicates);
  std::shared_ptr<const Names> names_;
  std::shared_ptr<const CompressedRows> rows_;
  std::int64_t duplicates_ = 0;
};

/// Two parts with the same users and items.
struct InteractionSplit {
  Interactions train, test;
};

struct HoldOutOptions {
  double fraction = 0.2;  ///< of each user's items, rounded down
  int leave_out = 0;      ///< or so many of each user, of those who have more
  std::uint64_t seed = 42;
};

/// Keeps items of each user back, drawn at random: which ones depends on the seed and the user's number alone.
InteractionSplit hold_out(const Interactions& all, const HoldOutOptions& options = {});

}  // namespace kindling
