#include "tabular/unique_cells.hpp"

#include <kindling/core/error.hpp>

#include "data/arrow_table.hpp"
#include "data/text_column.hpp"

#include <charconv>
#include <cmath>
#include <limits>
#include <unordered_map>

#include <arrow/api.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/cast.h>

namespace kindling::detail {

namespace {

TableCell cell_of(const arrow::Array& array, std::int64_t at) {
  if (array.IsNull(at)) return {};
  switch (array.type_id()) {
    case arrow::Type::INT64:
      return static_cast<const arrow::Int64Array&>(array).Value(at);
    case arrow::Type::DOUBLE: {
      const double value = static_cast<const arrow::DoubleArray&>(array).Value(at);
      return std::isnan(value) ? TableCell() : TableCell(value);
    }
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(array).Value(at);
    case arrow::Type::STRING:
      return std::string(text_at(array, at));
    default: {
      auto scalar = array.GetScalar(at);
      return scalar.ok() ? TableCell((*scalar)->ToString()) : TableCell();
    }
  }
}

/// Values of one type in their memory, with NaN (or the quiet twin) where they are missing.
template <class Array, class Out>
void copy_numbers(const arrow::Array& chunk, Out* out) {
  const auto& array = static_cast<const Array&>(chunk);
  const auto* values = array.raw_values();
  for (std::int64_t i = 0; i < array.length(); ++i) out[i] = static_cast<Out>(values[i]);
  if (array.null_count() == 0) return;
  for (std::int64_t i = 0; i < array.length(); ++i) {
    if (array.IsNull(i)) out[i] = std::numeric_limits<Out>::quiet_NaN();
  }
}

bool fits_float(const arrow::ChunkedArray& column) {
  for (const auto& chunk : column.chunks()) {
    const auto& array = static_cast<const arrow::DoubleArray&>(*chunk);
    for (std::int64_t i = 0; i < array.length(); ++i) {
      const double value = std::abs(array.Value(i));
      if (!array.IsNull(i) && std::isfinite(value) && value > std::numeric_limits<float>::max()) return false;
    }
  }
  return true;
}

template <class Array, class Out>
torch::Tensor numbers_of(const arrow::ChunkedArray& column, torch::ScalarType dtype) {
  auto numbers = torch::empty({column.length()}, dtype);
  Out* out = numbers.data_ptr<Out>();
  for (const auto& chunk : column.chunks()) {
    copy_numbers<Array>(*chunk, out);
    out += chunk->length();
  }
  return numbers;
}

/// The column as places in one dictionary.
std::shared_ptr<arrow::ChunkedArray> coded(const std::shared_ptr<arrow::ChunkedArray>& column, const fs::path& source) {
  if (column->type()->id() != arrow::Type::DICTIONARY)
    return value_of(arrow::compute::DictionaryEncode(arrow::Datum(column)), source).chunked_array();
  return value_of(arrow::DictionaryUnifier::UnifyChunkedArray(column), source);
}

/// Places in a dictionary to places in `cells`, which grows by each value that is met first. Values of a dictionary may be
/// equal (their blanks were taken away), be missing (NaN), or not occur at all.
class Places {
 public:
  Places(std::shared_ptr<arrow::Array> dictionary, std::vector<TableCell>& cells)
      : dictionary_(std::move(dictionary)), cells_(cells), known_(static_cast<std::size_t>(dictionary_->length()), not_met) {}

  std::int32_t operator[](std::int32_t at) {
    std::int32_t& place = known_[static_cast<std::size_t>(at)];
    if (place == not_met) place = meet(at);
    return place;
  }

 private:
  static constexpr std::int32_t not_met = -2;

  std::int32_t meet(std::int64_t at) {
    TableCell cell = cell_of(*dictionary_, at);
    if (std::holds_alternative<std::monostate>(cell)) return -1;
    const auto next = static_cast<std::int32_t>(cells_.size());
    if (const auto* text = std::get_if<std::string>(&cell)) {
      const auto [found, is_new] = texts_.try_emplace(*text, next);
      if (!is_new) return found->second;
    }
    cells_.push_back(std::move(cell));
    return next;
  }

  std::shared_ptr<arrow::Array> dictionary_;
  std::vector<TableCell>& cells_;
  std::vector<std::int32_t> known_;
  std::unordered_map<std::string, std::int32_t> texts_;
};

}  // namespace

std::vector<std::int64_t> UniqueCells::counts() const {
  std::vector<std::int64_t> counts(cells.size());
  const auto* place = places.const_data_ptr<std::int32_t>();
  for (std::int64_t i = 0; i < places.numel(); ++i) {
    if (place[i] >= 0) ++counts[static_cast<std::size_t>(place[i])];
  }
  return counts;
}

UniqueCells unique_cells(const Table& table, const std::string& name) {
  const int column = table.column(name);
  const auto& cells = table.data().table()->column(column);
  UniqueCells unique{.type = table.type(column), .places = torch::empty({table.n_rows()}, torch::kInt32)};
  if (cells->length() == 0) return unique;
  const auto encoded = coded(cells, table.source());
  // All chunks share one dictionary.
  const auto& last = static_cast<const arrow::DictionaryArray&>(*encoded->chunks().back());
  Places places(last.dictionary(), unique.cells);
  auto* place = unique.places.data_ptr<std::int32_t>();
  for (const auto& chunk : encoded->chunks()) {
    const auto& array = static_cast<const arrow::DictionaryArray&>(*chunk);
    const auto widened = value_of(arrow::compute::Cast(*array.indices(), arrow::int32()), table.source());
    const auto& indices = static_cast<const arrow::Int32Array&>(*widened);
    for (std::int64_t i = 0; i < indices.length(); ++i, ++place)
      *place = indices.IsNull(i) ? -1 : places[indices.Value(i)];
  }
  return unique;
}

CategoryMap classes_of_rows(const UniqueCells& unique, const torch::Tensor& rows, bool add_na) {
  std::vector<bool> seen(unique.cells.size());
  const auto places = unique.places.index_select(0, rows);
  const auto* place = places.const_data_ptr<std::int32_t>();
  for (std::int64_t i = 0; i < places.numel(); ++i) {
    if (place[i] >= 0) seen[static_cast<std::size_t>(place[i])] = true;
  }
  std::vector<TableCell> values;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (seen[i]) values.push_back(unique.cells[i]);
  }
  return {unique.type, std::move(values), add_na};
}

torch::Tensor number_column(const Table& table, const std::string& name) {
  const int column = table.column(name);
  const auto& cells = *table.data().table()->column(column);
  switch (cells.type()->id()) {
    case arrow::Type::INT64:
      // With missing ones pandas reads them as floats, which fastai shortens.
      return cells.null_count() > 0 ? numbers_of<arrow::Int64Array, float>(cells, torch::kFloat32)
                                    : numbers_of<arrow::Int64Array, double>(cells, torch::kFloat64);
    case arrow::Type::DOUBLE:
      return fits_float(cells) ? numbers_of<arrow::DoubleArray, float>(cells, torch::kFloat32)
                               : numbers_of<arrow::DoubleArray, double>(cells, torch::kFloat64);
    default:
      break;
  }
  const std::vector<double> numbers = table.numbers(column);
  return torch::tensor(at::ArrayRef<double>(numbers), torch::kFloat64);
}

}  // namespace kindling::detail
