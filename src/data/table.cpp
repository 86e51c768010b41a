#include <kindling/core/error.hpp>
#include <kindling/data/table.hpp>

#include "data/arrow_table.hpp"
#include "data/text_column.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include <arrow/compute/api_vector.h>
#include <arrow/compute/cast.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling {

namespace {

/// The type that a column is brought to; the same type for those that stay as they are.
std::shared_ptr<arrow::DataType> plain_type(const std::shared_ptr<arrow::DataType>& type) {
  switch (type->id()) {
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::UINT8:
    case arrow::Type::UINT16:
    case arrow::Type::UINT32:
      return arrow::int64();
    case arrow::Type::UINT64:
    case arrow::Type::HALF_FLOAT:
    case arrow::Type::FLOAT:
    case arrow::Type::DECIMAL32:
    case arrow::Type::DECIMAL64:
    case arrow::Type::DECIMAL128:
    case arrow::Type::DECIMAL256:
    case arrow::Type::NA:
      return arrow::float64();
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
      return arrow::utf8();
    case arrow::Type::DICTIONARY:
      if (detail::is_text(*type)) return type;
      return plain_type(static_cast<const arrow::DictionaryType&>(*type).value_type());
    default:
      return type;
  }
}

ColumnType column_type(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::INT64:
      return ColumnType::integer;
    case arrow::Type::DOUBLE:
      return ColumnType::number;
    case arrow::Type::BOOL:
      return ColumnType::boolean;
    case arrow::Type::STRING:
    case arrow::Type::DICTIONARY:
      return ColumnType::text;
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
    case arrow::Type::TIMESTAMP:
    case arrow::Type::TIME32:
    case arrow::Type::TIME64:
      return ColumnType::date;
    default:
      return ColumnType::other;
  }
}

std::shared_ptr<arrow::ChunkedArray> plain_column(const std::shared_ptr<arrow::ChunkedArray>& column,
                                                  const fs::path& source) {
  auto type = plain_type(column->type());
  // Missing cells are told by their places: a dictionary does not hold one.
  const bool holds_missing = std::any_of(column->chunks().begin(), column->chunks().end(), [](const auto& chunk) {
    return chunk->type_id() == arrow::Type::DICTIONARY &&
           static_cast<const arrow::DictionaryArray&>(*chunk).dictionary()->null_count() > 0;
  });
  if (holds_missing) type = plain_type(static_cast<const arrow::DictionaryType&>(*column->type()).value_type());
  if (type->Equals(*column->type())) return column;
  return detail::value_of(arrow::compute::Cast(arrow::Datum(column), type), source).chunked_array();
}

/// As Python prints a float: the shortest text that reads back as it, with a point.
std::string python_text(double value) {
  std::string text = fmt::format("{}", value);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

template <class Builder, class Cells, class Append>
std::shared_ptr<arrow::Array> build(Builder builder, const Cells& cells, Append append) {
  arrow::Status status = builder.Reserve(static_cast<std::int64_t>(cells.size()));
  for (std::size_t i = 0; i < cells.size() && status.ok(); ++i) status = append(builder, cells[i]);
  if (status.ok()) {
    auto array = builder.Finish();
    if (array.ok()) return *array;
    status = array.status();
  }
  throw Error(ErrorCode::limit, "the column cannot be kept: " + status.message());
}

arrow::Status append_number(arrow::DoubleBuilder& builder, double value) {
  return std::isnan(value) ? builder.AppendNull() : builder.Append(value);
}

struct ToArray {
  using Result = std::shared_ptr<arrow::Array>;
  Result operator()(const std::vector<std::int64_t>& cells) const {
    return build(arrow::Int64Builder(), cells, [](auto& b, std::int64_t v) { return b.Append(v); });
  }
  Result operator()(const std::vector<double>& cells) const {
    return build(arrow::DoubleBuilder(), cells, append_number);
  }
  Result operator()(const std::vector<std::string>& cells) const {
    return build(arrow::StringBuilder(), cells, [](auto& b, const std::string& v) { return b.Append(v); });
  }
  Result operator()(const std::vector<bool>& cells) const {
    return build(arrow::BooleanBuilder(), cells, [](auto& b, bool v) { return b.Append(v); });
  }
  Result operator()(const Table::Numbers& cells) const {
    return build(arrow::DoubleBuilder(), cells, [](auto& b, const std::optional<double>& v) {
      return v ? append_number(b, *v) : b.AppendNull();
    });
  }
  Result operator()(const Table::Texts& cells) const {
    return build(arrow::StringBuilder(), cells, [](auto& b, const std::optional<std::string>& v) {
      return v ? b.Append(*v) : b.AppendNull();
    });
  }
};

std::shared_ptr<arrow::Table> arrow_table(const Table::Columns& columns) {
  std::vector<std::shared_ptr<arrow::Field>> fields;
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  for (const auto& [name, cells] : columns) {
    arrays.push_back(std::visit(ToArray{}, cells));
    fields.push_back(arrow::field(name, arrays.back()->type()));
    if (arrays.back()->length() != arrays.front()->length()) {
      throw Error(ErrorCode::usage, "the columns of a table are of one length",
                  {{"column", columns.front().first + ": " + std::to_string(arrays.front()->length())},
                   {"other column", name + ": " + std::to_string(arrays.back()->length())}});
    }
  }
  return arrow::Table::Make(arrow::schema(fields), arrays);
}

std::string cell_text(const arrow::Array& array, std::int64_t at) {
  if (array.IsNull(at)) return "";
  switch (array.type_id()) {
    case arrow::Type::INT64:
      return std::to_string(static_cast<const arrow::Int64Array&>(array).Value(at));
    case arrow::Type::DOUBLE:
      return python_text(static_cast<const arrow::DoubleArray&>(array).Value(at));
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(array).Value(at) ? "True" : "False";
    case arrow::Type::STRING:
    case arrow::Type::DICTIONARY:
      return std::string(detail::text_at(array, at));
    default: {
      auto scalar = array.GetScalar(at);
      return scalar.ok() ? (*scalar)->ToString() : "";
    }
  }
}

std::optional<double> parse_number(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<bool> parse_truth(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* yes : {"true", "1", "1.0", "yes", "y", "t"}) {
    if (text == yes) return true;
  }
  for (const char* no : {"false", "0", "0.0", "no", "n", "f", ""}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

/// A number, or nothing for text that is none; throws for types that have no number.
std::optional<double> cell_number(const arrow::Array& array, std::int64_t at) {
  if (array.IsNull(at)) return std::numeric_limits<double>::quiet_NaN();
  switch (array.type_id()) {
    case arrow::Type::INT64:
      return static_cast<double>(static_cast<const arrow::Int64Array&>(array).Value(at));
    case arrow::Type::DOUBLE:
      return static_cast<const arrow::DoubleArray&>(array).Value(at);
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(array).Value(at) ? 1 : 0;
    case arrow::Type::STRING:
    case arrow::Type::DICTIONARY:
      return parse_number(detail::text_at(array, at));
    default:
      throw Error(ErrorCode::usage, "a column of this type has no numbers", {{"type", array.type()->ToString()}},
                  "read it as text");
  }
}

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 12;
  const std::vector<std::string> first(names.begin(), names.begin() + std::min(names.size(), most));
  return fmt::format("'{}'{}", fmt::join(first, "', '"),
                     names.size() > most ? fmt::format(", … ({} in all)", names.size()) : "");
}

std::string csv_field(const std::string& text, bool is_null) {
  if (!is_null && text.empty()) return "\"\"";
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

/// A cell's beginning for a summary: one line, not too long, whole UTF-8 characters.
std::string glimpse(std::string text) {
  constexpr std::size_t most = 24;
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  if (text.size() <= most) return text;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

}  // namespace

namespace detail {

TableData::TableData(std::shared_ptr<arrow::Table> table, fs::path source, std::optional<std::int64_t> first_line)
    : source_(std::move(source)), first_line_(first_line) {
  std::vector<std::shared_ptr<arrow::Field>> fields;
  std::vector<std::shared_ptr<arrow::ChunkedArray>> columns;
  for (int c = 0; c < table->num_columns(); ++c) {
    columns.push_back(plain_column(table->column(c), source_));
    names_.push_back(table->field(c)->name());
    fields.push_back(arrow::field(names_.back(), columns.back()->type()));
    types_.push_back(column_type(*columns.back()->type()));
    if (!places_.emplace(names_.back(), c).second) {
      throw Error(ErrorCode::bad_data, "two columns of the table have the same name",
                  {{"path", source_}, {"column", names_.back()}}, "give each column a name of its own");
    }
  }
  table_ = arrow::Table::Make(arrow::schema(fields), columns, table->num_rows());
  if (auto combined = table_->CombineChunks(); combined.ok()) table_ = *combined;
}

int TableData::find(const std::string& name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? -1 : found->second;
}

TableData::Cell TableData::cell(std::int64_t row, int column) const {
  if (row < 0 || row >= table_->num_rows()) {
    throw Error(ErrorCode::usage, "the table has no such row", {{"row", row}, {"rows", table_->num_rows()}});
  }
  const auto& chunks = table_->column(column)->chunks();
  std::size_t c = 0;
  while (row >= chunks[c]->length()) row -= chunks[c++]->length();
  return {chunks[c].get(), row};
}

}  // namespace detail

std::string_view name_of(ColumnType type) {
  constexpr std::string_view names[] = {"integer", "number", "boolean", "text", "date", "other"};
  return names[static_cast<std::size_t>(type)];
}

Table::Table() : Table(Columns{}) {}

Table::Table(const Columns& columns) : data_(std::make_shared<detail::TableData>(arrow_table(columns))) {}

std::int64_t Table::n_rows() const {
  return data_->table()->num_rows();
}
int Table::n_columns() const {
  return data_->table()->num_columns();
}
const std::vector<std::string>& Table::names() const {
  return data_->names();
}
bool Table::contains(const std::string& column) const {
  return data_->find(column) >= 0;
}
const fs::path& Table::source() const {
  return data_->source();
}

int Table::column(const ColumnRef& column) const {
  const int place = column.name() ? data_->find(*column.name()) : column.place();
  if (place >= 0 && place < n_columns()) return place;
  Error error(ErrorCode::bad_data, "the table has no column " + column.to_string());
  if (!source().empty()) error.with({"path", source()});
  error.with({"columns", list_of(names())});
  if (column.name()) error.with_hint("check the column's name" + did_you_mean(*column.name(), names()));
  throw error.with_hint(fmt::format("columns are counted from 0 to {}", n_columns() - 1));
}

ColumnType Table::type(const ColumnRef& ref) const {
  return data_->type(column(ref));
}

bool Table::is_null(std::int64_t row, const ColumnRef& ref) const {
  const auto cell = data_->cell(row, column(ref));
  return cell.array->IsNull(cell.at);
}

std::string Table::text(std::int64_t row, const ColumnRef& ref) const {
  const auto cell = data_->cell(row, column(ref));
  return cell_text(*cell.array, cell.at);
}

double Table::number(std::int64_t row, const ColumnRef& ref) const {
  const int c = column(ref);
  const auto cell = data_->cell(row, c);
  if (const auto number = cell_number(*cell.array, cell.at)) return *number;
  throw Error(ErrorCode::bad_data, "a number is expected in this cell",
              {{"row", where(row)}, {"column", names()[c]}, {"got", cell_text(*cell.array, cell.at)}},
              "correct the cell, or leave it empty where the value is not known");
}

bool Table::truth(std::int64_t row, const ColumnRef& ref) const {
  const int c = column(ref);
  const auto cell = data_->cell(row, c);
  if (cell.array->IsNull(cell.at)) return false;
  if (type(c) == ColumnType::integer || type(c) == ColumnType::number || type(c) == ColumnType::boolean)
    return number(row, c) != 0;
  if (const auto truth = parse_truth(cell_text(*cell.array, cell.at))) return *truth;
  throw Error(ErrorCode::bad_data, "true or false is expected in this cell",
              {{"row", where(row)}, {"column", names()[c]}, {"got", cell_text(*cell.array, cell.at)}},
              "write True or False, or 1 or 0");
}

std::vector<double> Table::numbers(const ColumnRef& ref) const {
  const int c = column(ref);
  std::vector<double> values;
  values.reserve(n_rows());
  for (const auto& chunk : data_->table()->column(c)->chunks()) {
    for (std::int64_t i = 0; i < chunk->length(); ++i) {
      const auto value = cell_number(*chunk, i);
      // The cell's own error names its row.
      values.push_back(value ? *value : number(static_cast<std::int64_t>(values.size()), c));
    }
  }
  return values;
}

Table::Texts Table::texts(const ColumnRef& ref) const {
  Texts values;
  values.reserve(n_rows());
  for (const auto& chunk : data_->table()->column(column(ref))->chunks()) {
    for (std::int64_t i = 0; i < chunk->length(); ++i) {
      if (chunk->IsNull(i))
        values.emplace_back();
      else
        values.emplace_back(cell_text(*chunk, i));
    }
  }
  return values;
}

Table Table::with_column(const std::string& name, const Column& cells) const {
  const auto array = std::visit(ToArray{}, cells);
  if (n_columns() > 0 && array->length() != n_rows()) {
    throw Error(ErrorCode::usage, "a column must have a cell for each row of the table",
                {{"column", name}, {"cells", array->length()}, {"rows", n_rows()}});
  }
  const auto field = arrow::field(name, array->type());
  const auto column = std::make_shared<arrow::ChunkedArray>(array);
  const int place = data_->find(name);
  auto changed = place < 0 ? data_->table()->AddColumn(n_columns(), field, column)
                           : data_->table()->SetColumn(place, field, column);
  return Table(std::make_shared<detail::TableData>(detail::value_of(std::move(changed), source()), source(),
                                                   data_->first_line()));
}

Table Table::select(const std::vector<ColumnRef>& columns) const {
  std::vector<int> places;
  for (const ColumnRef& ref : columns) places.push_back(column(ref));
  return Table(std::make_shared<detail::TableData>(
      detail::value_of(data_->table()->SelectColumns(places), source()), source(), data_->first_line()));
}

Table Table::take(const std::vector<std::int64_t>& rows) const {
  for (std::int64_t row : rows) {
    if (row < 0 || row >= n_rows())
      throw Error(ErrorCode::usage, "the table has no such row", {{"row", row}, {"rows", n_rows()}});
  }
  const auto taken = arrow::compute::Take(arrow::Datum(data_->table()), arrow::Datum(ToArray{}(rows)));
  return Table(std::make_shared<detail::TableData>(detail::value_of(taken, source()).table(), source()));
}

std::optional<std::int64_t> Table::line(std::int64_t row) const {
  if (!data_->first_line()) return std::nullopt;
  return *data_->first_line() + row;
}

std::string Table::where(std::int64_t row) const {
  if (source().empty()) return fmt::format("row {}", row);
  if (const auto at = line(row)) return fmt::format("row {} (line {} of {})", row, *at, source().filename().string());
  return fmt::format("row {} of {}", row, source().filename().string());
}

std::string Table::describe() const {
  const std::string name = source().empty() ? "table" : source().filename().string();
  std::string text = fmt::format("{}: {} row{}, {} column{}\n", name, n_rows(), n_rows() == 1 ? "" : "s", n_columns(),
                                 n_columns() == 1 ? "" : "s");
  std::size_t width = 6;
  for (const std::string& column : names()) width = std::max(width, glimpse(column).size());
  text += fmt::format("  {:{}}  {:7}  {:>7}  {}\n", "column", width, "type", "missing", "first values");
  for (int c = 0; c < n_columns(); ++c) {
    std::vector<std::string> first;
    for (std::int64_t row = 0; row < n_rows() && first.size() < 3; ++row) {
      if (!is_null(row, c)) first.push_back(glimpse(this->text(row, c)));
    }
    text += fmt::format("  {:{}}  {:7}  {:>7}  {}\n", glimpse(names()[c]), width, name_of(type(c)),
                        data_->table()->column(c)->null_count(), fmt::join(first, ", "));
  }
  return text;
}

std::string Table::to_csv() const {
  std::string out;
  for (int c = 0; c < n_columns(); ++c) out += (c > 0 ? "," : "") + csv_field(names()[c], false);
  out += '\n';
  for (std::int64_t row = 0; row < n_rows(); ++row) {
    for (int c = 0; c < n_columns(); ++c) {
      const auto cell = data_->cell(row, c);
      if (c > 0) out += ',';
      out += csv_field(cell_text(*cell.array, cell.at), cell.array->IsNull(cell.at));
    }
    out += '\n';
  }
  return out;
}

void Table::save_csv(const fs::path& path) const {
  write_file(path, to_csv());
}

Items rows_of(Table table) {
  const auto shared = std::make_shared<const Table>(std::move(table));
  Items items;
  items.reserve(shared->n_rows());
  for (std::int64_t i = 0; i < shared->n_rows(); ++i) items.emplace_back(Row{shared, i});
  return items;
}

}  // namespace kindling
