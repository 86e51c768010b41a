#pragma once
/// The different cells of a column, found by Arrow.

#include <kindling/tabular/category_map.hpp>

#include <vector>

#include <torch/types.h>

namespace kindling::detail {

struct UniqueCells {
  ColumnType type = ColumnType::text;
  std::vector<TableCell> cells;  ///< in the order of their first rows; none is missing
  torch::Tensor places;          ///< int32, one a row: which of `cells`; -1 where it is missing
  /// How often each occurs.
  std::vector<std::int64_t> counts() const;
};

UniqueCells unique_cells(const Table& table, const std::string& column);
/// A vocabulary of the cells that these rows have.
CategoryMap classes_of_rows(const UniqueCells& unique, const torch::Tensor& rows, bool add_na);

/// A column's numbers: float64 of whole numbers and truth, float32 of others where they fit; NaN where missing.
torch::Tensor number_column(const Table& table, const std::string& column);

}  // namespace kindling::detail
