#pragma once
/// Ratings to batches: a table with a user, an item and a number in each row.
///
///   auto dls = CollabDataLoaders::from_csv("ratings.csv", {.titles = "movies.csv"});
///   std::puts(dls.batch_table().c_str());
///   std::puts(rating_counts(dls).to_string().c_str());
///
/// Ratings are a table (see kindling/tabular/data.hpp) with two columns of classes and a number as target, so
/// `test_dl`, `results_table`, `tabular_encoder` and exports serve them too. A rating takes 12 bytes: two codes of 32
/// bits and a float.

#include <kindling/core/listener.hpp>
#include <kindling/data/dataloaders.hpp>
#include <kindling/data/table.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kindling {

/// Options of the factories, with fastai's names and defaults.
struct CollabDataLoadersOptions {
  double valid_pct = 0.2;
  /// Columns; left out: the first, second and third of the table.
  std::optional<std::string> user_name = std::nullopt;
  std::optional<std::string> item_name = std::nullopt;
  std::optional<std::string> rating_name = std::nullopt;
  std::optional<std::uint64_t> seed = std::nullopt;  ///< of the split (fastai's permutation) and of shuffling
  /// Rows that validate; left out: a part at random.
  std::optional<std::vector<std::int64_t>> valid_idx = std::nullopt;
  /// A table that has a title for each item. Items are then known by their titles, as in fastai's book.
  fs::path titles = {};
  std::string titles_key = "";   ///< its column of items; empty: named as in the ratings
  std::string title = "title";  ///< its column of titles
  int bs = 64;
  std::optional<int> val_bs = std::nullopt;
  bool shuffle = true;
  /// Draw the ratings of an epoch with replacement, as fastai has done since 2.7.15.
  bool replacement = false;
  torch::Device device = default_device();
  TableOptions csv = {};
  /// Is told what ratings have no title, no user or no item; null: `terminal_listener()`.
  std::shared_ptr<Listener> listener = nullptr;
};

struct CollabDataLoaders {
  using Options = CollabDataLoadersOptions;
  /// Inputs are N x 2 codes of user and item, int64, and N x 0 numbers; targets N ratings, float32. Code 0 is "#na#": a
  /// missing user or item, and one that no training rating has (of columns of text the vocabulary is that of all
  /// ratings, as in fastai). Throws `bad_data` for columns that are not there, and naming the row for ratings that are
  /// missing or no number.
  static DataLoaders from_df(const Table& ratings, const Options& options = {});
  /// CSV, TSV or Parquet.
  static DataLoaders from_csv(const fs::path& csv, const Options& options = {});
};

/// The ratings with titles in place of items, under the name of the column of titles.
struct TitledRatings {
  Table table;
  std::int64_t untitled_items = 0;    ///< items without a title, which keep their own name
  std::int64_t untitled_ratings = 0;  ///< ratings of these
  std::int64_t shared_titles = 0;     ///< titles of several items, which are one item from now on (as in fastai's book)
};

struct TitleOptions {
  std::string key = "";          ///< column of items in `titles`; empty: `item`
  std::string title = "title";  ///< column of titles
};

/// Throws `bad_data` for columns that are not there, and for an item with two titles.
TitledRatings with_titles(const Table& ratings, const std::string& item, const Table& titles,
                           const TitleOptions& options = {});

/// What the ratings of loaders are.
struct RatingCounts {
  std::int64_t train = 0, valid = 0;
  std::int64_t users = 0, items = 0;                  ///< in the vocabularies, "#na#" not counted
  std::int64_t unknown_users = 0, unknown_items = 0;  ///< ratings with "#na#"
  std::int64_t repeated = 0;  ///< ratings of an item that their user has rated in another row before
  double low = 0, high = 0, mean = 0;
  /// A few lines for a person.
  std::string to_string() const;
};

/// Throws `usage` for loaders of other data.
RatingCounts rating_counts(const DataLoaders& dls);

}  // namespace kindling
