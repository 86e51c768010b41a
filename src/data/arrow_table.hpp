#pragma once
/// The Arrow table inside of a `Table`, for code of this layer that goes over many cells.

#include <kindling/core/error.hpp>
#include <kindling/data/table.hpp>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <arrow/api.h>

namespace kindling::detail {

/// Columns of int64, double, bool, text (utf8, or places in a dictionary of it where cells repeat), dates and times, or types that are only
/// shown. Each column is one chunk where it is not larger than Arrow's limit for one (2 GB of text).
class TableData {
 public:
  /// Brings every column to one of these types. `rows_are_lines`: row i stands on line `first_line` + i.
  TableData(std::shared_ptr<arrow::Table> table, fs::path source = {}, std::optional<std::int64_t> first_line = {});

  const std::shared_ptr<arrow::Table>& table() const { return table_; }
  const std::vector<std::string>& names() const { return names_; }
  const fs::path& source() const { return source_; }
  std::optional<std::int64_t> first_line() const { return first_line_; }
  /// The column's place; -1 where there is none of that name.
  int find(const std::string& name) const;
  ColumnType type(int column) const { return types_[column]; }

  /// A cell's array and its place in it.
  struct Cell {
    const arrow::Array* array;
    std::int64_t at;
  };
  Cell cell(std::int64_t row, int column) const;

 private:
  std::shared_ptr<arrow::Table> table_;
  std::vector<std::string> names_;
  std::vector<ColumnType> types_;
  std::unordered_map<std::string, int> places_;
  fs::path source_;
  std::optional<std::int64_t> first_line_;
};

/// The value, or an `Error` with what Arrow says.
template <class T>
T value_of(arrow::Result<T> result, const fs::path& source) {
  if (result.ok()) return std::move(result).ValueUnsafe();
  throw Error(result.status().IsOutOfMemory() ? ErrorCode::limit : ErrorCode::bad_data,
              "the table cannot be read: " + result.status().message(), {{"path", source}});
}

}  // namespace kindling::detail
