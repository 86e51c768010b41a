#include "cli/csv_labels.hpp"

#include <kindling/core/error.hpp>
#include <kindling/data/labels.hpp>

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling::cli {

namespace {

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 6 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// A column of that name, else of that place.
ColumnRef column_of(const Table& table, const CsvRule& rule) {
  if (rule.column.empty()) {
    if (table.n_columns() == 2) return 1;
    throw Error(ErrorCode::bad_data,
                "the table of labels does not have two columns, so that one must be named",
                {{"path", rule.file}, {"columns", fmt::format("{}", fmt::join(table.names(), ", "))}},
                fmt::format("e.g. --label csv:{}:{}", rule.file.string(), table.names().back()));
  }
  if (!table.contains(rule.column) && is_number(rule.column)) return std::stoi(rule.column);
  return rule.column;
}

/// Everything is text here, and only an empty cell is empty: a class may be called None.
Table read_labels(const CsvRule& rule) {
  TableOptions options{.missing = {""}};
  const Table types = read_table(rule.file, options);
  for (int c = 0; c < types.n_columns(); ++c) options.as_text.push_back(c);
  return read_table(rule.file, options);
}

}  // namespace

CsvRule CsvRule::from(const std::string& text) {
  std::error_code ignored;
  for (std::size_t end = text.size(); end != std::string::npos && end > 0; end = text.rfind(':', end - 1)) {
    const std::string file = text.substr(0, end);
    if (!fs::exists(file, ignored)) continue;
    const std::string rest = end < text.size() ? text.substr(end + 1) : "";
    const std::size_t colon = rest.find(':');
    return {file, rest.substr(0, colon), colon == std::string::npos ? "" : rest.substr(colon + 1)};
  }
  // The file is missing: reading it says so.
  return {text.substr(0, text.find(':')), "", ""};
}

CsvLabels::CsvLabels(const CsvRule& rule) {
  const Table table = read_labels(rule);
  const int label_column = table.column(column_of(table, rule));
  const ColReader labels(label_column, {.label_delim = rule.delimiter});
  const auto shared = std::make_shared<const Table>(table);
  for (std::int64_t row = 0; row < table.n_rows(); ++row) {
    const std::string name = table.text(row, 0);
    std::vector<std::string> found = {table.text(row, label_column)};
    if (!rule.delimiter.empty()) found = std::get<Categories>(labels(Row{shared, row})).names;
    if (name.empty() || std::ranges::find(found, "") != found.end()) {
      throw Error(ErrorCode::bad_data, "a row of the table of labels has an empty field",
                  {{"path", rule.file}, {"row", table.where(row)}}, "give the file name and the label");
    }
    const auto [known, is_new] = labels_.emplace(name, found);
    if (is_new || known->second == found) continue;
    throw Error(ErrorCode::bad_data, "the table of labels gives a photo two labels",
                {{"path", rule.file},
                 {"row", table.where(row)},
                 {"file", name},
                 {"labels", fmt::format("{}, {}", fmt::join(known->second, ";"), fmt::join(found, ";"))}},
                "keep one of the rows, or put the labels into one cell: csv:FILE:COLUMN:DELIMITER");
  }
}

std::optional<std::vector<std::string>> CsvLabels::find(const fs::path& name) const {
  for (const std::string& key : {name.generic_string(), name.filename().string(), name.stem().string()}) {
    if (const auto found = labels_.find(key); found != labels_.end()) return found->second;
  }
  return std::nullopt;
}

}  // namespace kindling::cli
