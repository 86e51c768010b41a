#pragma once
/// The values of a column of classes, and the code that stands for each.

#include <kindling/core/json.hpp>
#include <kindling/data/table.hpp>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace kindling {

/// One cell of a table: nothing where it is missing.
using TableCell = std::variant<std::monostate, std::int64_t, double, bool, std::string>;

/// The cell as `Table::text` gives it.
std::string text_of(const TableCell& cell);

/// A vocabulary (fastai `CategoryMap`): values of one type in ascending order, with "#na#" before them where missing and
/// unknown ones get a code too. Cells of another type are compared as what the column is: 1, 1.0, "1" and true are
/// one value of a column of numbers.
class CategoryMap {
 public:
  CategoryMap() = default;
  CategoryMap(ColumnType type, std::vector<TableCell> values, bool add_na);

  /// Codes, "#na#" included.
  std::int64_t size() const { return static_cast<std::int64_t>(items_.size()); }
  /// The values as text, by their codes.
  const std::vector<std::string>& items() const { return items_; }
  ColumnType type() const { return type_; }
  bool has_na() const { return add_na_; }
  /// A value's code. Of missing and unknown ones 0 with "#na#", -1 without.
  std::int64_t code(const TableCell& cell) const;

  Json to_json() const;
  static CategoryMap from_json(const Json& json);

 private:
  ColumnType type_ = ColumnType::text;
  std::vector<TableCell> values_;
  bool add_na_ = false;
  std::vector<std::string> items_;
  std::unordered_map<std::string, std::int64_t> codes_;
};

}  // namespace kindling
