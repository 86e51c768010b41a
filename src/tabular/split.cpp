#include <kindling/tabular/split.hpp>

#include "tabular/unique_cells.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <torch/types.h>

namespace kindling {

namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_cont(const Table& table, const std::string& name, int max_card) {
  if (table.type(name) == ColumnType::number) return true;
  if (table.type(name) != ColumnType::integer) return false;
  const auto unique = detail::unique_cells(table, name);
  // With missing ones pandas reads whole numbers as floats.
  if (unique.places.numel() > 0 && unique.places.min().item<std::int32_t>() < 0) return true;
  return static_cast<int>(unique.cells.size()) > max_card;
}

template <class T>
bool holds(double low, double high) {
  return low >= static_cast<double>(std::numeric_limits<T>::lowest()) &&
         high <= static_cast<double>(std::numeric_limits<T>::max());
}

std::string integer_type(double low, double high, bool is_unsigned) {
  if (is_unsigned) {
    if (holds<std::uint8_t>(low, high)) return "uint8";
    if (holds<std::uint16_t>(low, high)) return "uint16";
    return holds<std::uint32_t>(low, high) ? "uint32" : "uint64";
  }
  if (holds<std::int8_t>(low, high)) return "int8";
  if (holds<std::int16_t>(low, high)) return "int16";
  return holds<std::int32_t>(low, high) ? "int32" : "int64";
}

}  // namespace

ContCatSplit cont_cat_split(const Table& table, const ContCatOptions& options) {
  ContCatSplit split;
  for (const std::string& name : table.names()) {
    if (contains(options.dep_var, name)) continue;
    (is_cont(table, name, options.max_card) ? split.cont_names : split.cat_names).push_back(name);
  }
  return split;
}

std::string shrunk_type(const Table& table, const std::string& column, bool int2uint) {
  const ColumnType type = table.type(column);
  if (type == ColumnType::boolean) return "bool";
  if (type == ColumnType::date) return "datetime64[ns]";
  if (type != ColumnType::integer && type != ColumnType::number) return "category";
  const auto numbers = detail::number_column(table, column);
  const bool whole = type == ColumnType::integer && !torch::isnan(numbers).any().item<bool>();
  if (!whole) return numbers.scalar_type() == torch::kFloat64 && type == ColumnType::number ? "float64" : "float32";
  if (numbers.numel() == 0) return "int64";
  const double low = numbers.min().item<double>(), high = numbers.max().item<double>();
  return integer_type(low, high, int2uint && low >= 0);
}

Table df_shrink(const Table& table, const std::vector<std::string>& skip) {
  Table shrunk = table;
  for (const std::string& name : table.names()) {
    if (table.type(name) != ColumnType::number || contains(skip, name)) continue;
    const auto numbers = detail::number_column(table, name).to(torch::kFloat64);
    const auto* begin = numbers.const_data_ptr<double>();
    shrunk = shrunk.with_column(name, std::vector<double>(begin, begin + numbers.numel()));
  }
  return shrunk;
}

Splits time_ordered_split(const Table& table, const std::string& column, double valid_pct) {
  // Dates as ISO text are in the order of time; numbers are compared as numbers.
  const auto unique = detail::unique_cells(table, column);
  std::vector<std::size_t> order(unique.cells.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return unique.cells[a] < unique.cells[b]; });
  const auto counts = unique.counts();
  const auto wanted = static_cast<std::int64_t>(valid_pct * static_cast<double>(table.n_rows()));
  std::vector<bool> validates(unique.cells.size());
  std::int64_t taken = 0;
  for (auto at = order.rbegin(); at != order.rend() && taken + counts[*at] <= wanted; ++at) {
    validates[*at] = true;
    taken += counts[*at];
  }
  Splits splits;
  const auto* place = unique.places.const_data_ptr<std::int32_t>();
  for (std::int64_t row = 0; row < table.n_rows(); ++row) {
    const bool valid = place[row] >= 0 && validates[static_cast<std::size_t>(place[row])];
    (valid ? splits.valid : splits.train).push_back(row);
  }
  return splits;
}

}  // namespace kindling
