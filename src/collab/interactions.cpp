#include <kindling/collab/interactions.hpp>
#include <kindling/core/error.hpp>
#include <kindling/core/random.hpp>

#include "tabular/unique_cells.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

using Indices = std::vector<std::int64_t>;

/// A cell of the table in the matrix.
struct Entry {
  std::int32_t item;
  float value;
};

/// The table's rows as numbers.
struct NumberedRows {
  CategoryMap users, items;
  std::vector<std::int32_t> user, item;
  std::vector<float> value;
  std::vector<bool> kept;
};

std::string column_of(const Table& table, const std::optional<std::string>& name, int place) {
  return table.names()[static_cast<std::size_t>(table.column(name ? ColumnRef(*name) : ColumnRef(place)))];
}

Error bad_cell(const Table& table, std::int64_t row, const std::string& column, const std::string& message) {
  return Error(ErrorCode::bad_data, message, {{"row", table.where(row)}, {"column", column}},
               "correct the cell, or take the row out");
}

/// Indices of the names in ascending order, a row each.
std::pair<CategoryMap, std::vector<std::int32_t>> numbered(const Table& table, const std::string& column) {
  const detail::UniqueCells unique = detail::unique_cells(table, column);
  CategoryMap names(unique.type, unique.cells, /*add_na=*/false);
  std::vector<std::int32_t> code_of;
  for (const TableCell& cell : unique.cells) code_of.push_back(static_cast<std::int32_t>(names.code(cell)));
  std::vector<std::int32_t> codes(static_cast<std::size_t>(table.n_rows()));
  const auto* place = unique.places.const_data_ptr<std::int32_t>();
  for (std::size_t row = 0; row < codes.size(); ++row) {
    if (place[row] < 0) throw bad_cell(table, static_cast<std::int64_t>(row), column, "a cell is missing");
    codes[row] = code_of[static_cast<std::size_t>(place[row])];
  }
  return {std::move(names), std::move(codes)};
}

std::vector<double> ratings_of(const Table& table, const InteractionsOptions& options) {
  if (!options.rating_name && table.n_columns() < 3) {
    throw Error(ErrorCode::bad_data, "the table has no third column, of ratings", {{"path", table.source()}},
                "set .binary = true where each row counts the same");
  }
  const std::string column = column_of(table, options.rating_name, 2);
  std::vector<double> ratings = table.numbers(column);
  for (std::size_t row = 0; row < ratings.size(); ++row) {
    const auto at = static_cast<std::int64_t>(row);
    if (std::isnan(ratings[row])) throw bad_cell(table, at, column, "a rating is missing");
    if (!std::isfinite(static_cast<float>(ratings[row]))) throw bad_cell(table, at, column, "a rating is too large");
  }
  return ratings;
}

NumberedRows read_rows(const Table& table, const InteractionsOptions& options) {
  if (table.n_rows() == 0) throw Error(ErrorCode::bad_data, "the table has no rows", {{"path", table.source()}});
  NumberedRows rows;
  std::tie(rows.users, rows.user) = numbered(table, column_of(table, options.user_name, 0));
  std::tie(rows.items, rows.item) = numbered(table, column_of(table, options.item_name, 1));
  rows.value.assign(rows.user.size(), 1);
  rows.kept.assign(rows.user.size(), true);
  if (options.binary && !options.min_rating) return rows;
  const std::vector<double> ratings = ratings_of(table, options);
  for (std::size_t i = 0; i < ratings.size(); ++i) {
    if (!options.binary) rows.value[i] = static_cast<float>(ratings[i]);
    rows.kept[i] = !options.min_rating || ratings[i] >= *options.min_rating;
  }
  return rows;
}

/// Rows `which` of the table in compressed rows, and how many came again later.
std::pair<CompressedRows, std::int64_t> compress(const NumberedRows& rows, const Indices& which) {
  std::vector<std::int64_t> begin(static_cast<std::size_t>(rows.users.size()) + 1, 0);
  for (const std::int64_t i : which) begin[static_cast<std::size_t>(rows.user[i]) + 1] += rows.kept[i] ? 1 : 0;
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  std::vector<Entry> entries(static_cast<std::size_t>(begin.back()));
  auto next = begin;
  for (const std::int64_t i : which) {
    if (rows.kept[i]) entries[static_cast<std::size_t>(next[rows.user[i]]++)] = {rows.item[i], rows.value[i]};
  }
  CompressedRows out{.n_columns = rows.items.size()};
  for (std::size_t u = 0; u + 1 < begin.size(); ++u) {
    const auto first = entries.begin() + begin[u], last = entries.begin() + begin[u + 1];
    // Stable, so that the last of the table comes last.
    std::stable_sort(first, last, [](const Entry& a, const Entry& b) { return a.item < b.item; });
    for (auto entry = first; entry != last; ++entry) {
      if (entry + 1 != last && entry[1].item == entry->item) continue;
      out.indices.push_back(entry->item);
      out.values.push_back(entry->value);
    }
    out.indptr.push_back(out.size());
  }
  const std::int64_t duplicates = begin.back() - out.size();
  return {std::move(out), duplicates};
}

void append(CompressedRows& rows, std::int32_t column, float value) {
  rows.indices.push_back(column);
  rows.values.push_back(value);
}

std::int64_t number_of(const CategoryMap& names, const std::string& name, const std::string& what) {
  const std::int64_t number = names.code(name);
  if (number >= 0) return number;
  throw Error(ErrorCode::not_found, fmt::format("there is no {} '{}'{}", what, name, did_you_mean(name, names.items())),
              {{what + "s", names.size()}}, "give one of the table that it was learnt from");
}

Error bad_rows(const std::string& message) {
  return Error(ErrorCode::bad_data, message, {}, "make the rows with Interactions::from_df");
}

}  // namespace

std::span<const std::int32_t> CompressedRows::columns(std::int64_t row) const {
  return {indices.data() + indptr[row], static_cast<std::size_t>(indptr[row + 1] - indptr[row])};
}

std::span<const float> CompressedRows::row(std::int64_t row) const {
  return {values.data() + indptr[row], static_cast<std::size_t>(indptr[row + 1] - indptr[row])};
}

CompressedRows CompressedRows::transposed() const {
  CompressedRows out{.n_columns = n_rows(),
                     .indptr = Indices(static_cast<std::size_t>(n_columns) + 1, 0),
                     .indices = std::vector<std::int32_t>(indices.size()),
                     .values = std::vector<float>(values.size())};
  for (const std::int32_t column : indices) ++out.indptr[static_cast<std::size_t>(column) + 1];
  std::partial_sum(out.indptr.begin(), out.indptr.end(), out.indptr.begin());
  Indices next = out.indptr;
  for (std::int64_t r = 0; r < n_rows(); ++r) {
    for (std::int64_t i = indptr[r]; i < indptr[r + 1]; ++i) {
      const std::int64_t to = next[indices[i]]++;
      out.indices[to] = static_cast<std::int32_t>(r);
      out.values[to] = values[i];
    }
  }
  return out;
}

CompressedRows CompressedRows::take(const std::vector<std::int64_t>& rows) const {
  CompressedRows out{.n_columns = n_columns};
  for (const std::int64_t r : rows) {
    out.indices.insert(out.indices.end(), columns(r).begin(), columns(r).end());
    out.values.insert(out.values.end(), row(r).begin(), row(r).end());
    out.indptr.push_back(out.size());
  }
  return out;
}

void CompressedRows::check() const {
  if (indptr.empty() || indptr.front() != 0 || indptr.back() != size() || values.size() != indices.size())
    throw bad_rows("compressed rows have other lengths than they say");
  // Ascending from 0 to the size, all of them lie within.
  if (!std::is_sorted(indptr.begin(), indptr.end())) throw bad_rows("compressed rows run backwards");
  for (std::int64_t r = 0; r < n_rows(); ++r) {
    std::int64_t last = -1;
    for (const std::int32_t column : columns(r)) {
      if (column <= last || column >= n_columns)
        throw bad_rows("columns of compressed rows are out of order or range").with("row", r);
      last = column;
    }
  }
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
    throw bad_rows("values of compressed rows are not all finite");
}

Interactions::Interactions(std::shared_ptr<const Names> names, CompressedRows rows, std::int64_t duplicates)
    : names_(std::move(names)),
      rows_(std::make_shared<const CompressedRows>(std::move(rows))),
      duplicates_(duplicates) {}

Interactions::Interactions(CategoryMap users, CategoryMap items, CompressedRows rows)
    : Interactions(std::make_shared<const Names>(Names{std::move(users), std::move(items)}), std::move(rows), 0) {
  rows_->check();
  if (rows_->n_rows() != n_users() || rows_->n_columns != n_items()) {
    throw bad_rows("compressed rows do not fit the names")
        .with("rows", rows_->n_rows())
        .with("users", n_users())
        .with("columns", rows_->n_columns)
        .with("items", n_items());
  }
}

Interactions Interactions::from_df(const Table& table, const Options& options) {
  Indices all(static_cast<std::size_t>(table.n_rows()));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return from_df(table, Splits{std::move(all), {}}, options).train;
}

InteractionSplit Interactions::from_df(const Table& table, const Splits& splits, const Options& options) {
  for (const Indices* part : {&splits.train, &splits.valid}) {
    for (const std::int64_t row : *part) {
      if (row >= 0 && row < table.n_rows()) continue;
      throw Error(ErrorCode::usage, "the split has a row that the table lacks",
                  {{"row", row}, {"rows", table.n_rows()}});
    }
  }
  NumberedRows rows = read_rows(table, options);
  auto [train, train_duplicates] = compress(rows, splits.train);
  auto [test, test_duplicates] = compress(rows, splits.valid);
  const auto names = std::make_shared<const Names>(Names{std::move(rows.users), std::move(rows.items)});
  return {Interactions(names, std::move(train), train_duplicates),
          Interactions(names, std::move(test), test_duplicates)};
}

std::int64_t Interactions::user(const std::string& name) const {
  return number_of(users(), name, "user");
}

std::int64_t Interactions::item(const std::string& name) const {
  return number_of(items(), name, "item");
}

bool Interactions::same_names(const Interactions& other) const {
  return names_ == other.names_ ||
         (users().items() == other.users().items() && items().items() == other.items().items());
}

Interactions Interactions::with_rows(CompressedRows rows) const {
  Interactions out(names_, std::move(rows), 0);
  if (out.rows_->n_rows() != n_users() || out.rows_->n_columns != n_items())
    throw bad_rows("compressed rows do not fit the names");
  return out;
}

std::string Interactions::summary() const {
  const double pairs = static_cast<double>(n_users()) * static_cast<double>(n_items());
  std::string text = fmt::format("{} users, {} items, {} pairs ({:.2f} % of all)", n_users(), n_items(), size(),
                                 100 * static_cast<double>(size()) / std::max(pairs, 1.0));
  if (duplicates_ > 0) text += fmt::format("; {} rows came again later and do not count", duplicates_);
  return text;
}

InteractionSplit hold_out(const Interactions& all, const HoldOutOptions& options) {
  if (options.leave_out < 0 || (options.leave_out == 0 && !(options.fraction > 0 && options.fraction < 1))) {
    throw Error(ErrorCode::usage, "a part of each user's items can be held out, or a number of them",
                {{"fraction", fmt::format("{}", options.fraction)}, {"leave_out", options.leave_out}},
                "give a fraction between 0 and 1, or leave_out of at least 1");
  }
  CompressedRows train{.n_columns = all.n_items()}, test{.n_columns = all.n_items()};
  for (std::int64_t u = 0; u < all.n_users(); ++u) {
    const auto columns = all.rows().columns(u);
    const auto values = all.rows().row(u);
    const auto n = static_cast<std::int64_t>(columns.size());
    auto kept_back = static_cast<std::int64_t>(options.fraction * static_cast<double>(n));
    if (options.leave_out > 0) kept_back = options.leave_out;
    if (kept_back >= n) kept_back = 0;
    CounterRng rng(options.seed, static_cast<std::uint64_t>(u));
    const Indices order = permutation(n, rng);
    std::vector<bool> is_test(columns.size(), false);
    for (std::int64_t i = 0; i < kept_back; ++i) is_test[order[i]] = true;
    for (std::size_t i = 0; i < columns.size(); ++i) append(is_test[i] ? test : train, columns[i], values[i]);
    train.indptr.push_back(train.size());
    test.indptr.push_back(test.size());
  }
  return {all.with_rows(std::move(train)), all.with_rows(std::move(test))};
}

}  // namespace kindling
