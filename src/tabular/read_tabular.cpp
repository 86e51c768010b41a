#include <kindling/core/error.hpp>
#include <kindling/core/thread_pool.hpp>
#include <kindling/tabular/data.hpp>

#include "data/arrow_table.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_set>

#include <arrow/api.h>

namespace kindling {

namespace {

/// Texts that stand for a missing value. Most cells are told from them by their first byte.
class Missing {
 public:
  explicit Missing(const std::vector<std::string>& texts) : texts_(texts.begin(), texts.end()) {
    for (const std::string& text : texts) {
      if (!text.empty()) first_[static_cast<unsigned char>(text.front())] = true;
      longest_ = std::max(longest_, text.size());
    }
  }
  bool contains(std::string_view text) const {
    if (text.size() > longest_ || (!text.empty() && !first_[static_cast<unsigned char>(text.front())])) return false;
    return texts_.contains(std::string(text));
  }

 private:
  std::unordered_set<std::string> texts_;
  std::array<bool, 256> first_{};
  std::size_t longest_ = 0;
};

std::string_view without_blanks(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

bool begins_with_blank(const arrow::ChunkedArray& column) {
  for (const auto& chunk : column.chunks()) {
    const auto& array = static_cast<const arrow::StringArray&>(*chunk);
    for (std::int64_t i = 0; i < array.length(); ++i) {
      if (array.value_length(i) > 0 && array.GetView(i).front() == ' ') return true;
    }
  }
  return false;
}

std::shared_ptr<arrow::Array> trimmed(const arrow::StringArray& array, const Missing& missing, const fs::path& source) {
  arrow::StringBuilder builder;
  const auto check = [&](const arrow::Status& status) {
    if (!status.ok()) throw Error(ErrorCode::limit, "the column cannot be kept: " + status.message(), {{"path", source}});
  };
  check(builder.Reserve(array.length()));
  check(builder.ReserveData(array.total_values_length()));
  for (std::int64_t i = 0; i < array.length(); ++i) {
    const auto text = without_blanks(array.GetView(i));
    check(array.IsNull(i) || missing.contains(text) ? builder.AppendNull() : builder.Append(text));
  }
  return detail::value_of(builder.Finish(), source);
}

std::shared_ptr<arrow::ChunkedArray> trimmed(const std::shared_ptr<arrow::ChunkedArray>& column, const Missing& missing,
                                             const fs::path& source) {
  if (column->type()->id() != arrow::Type::STRING || !begins_with_blank(*column)) return column;
  arrow::ArrayVector chunks;
  for (const auto& chunk : column->chunks())
    chunks.push_back(trimmed(static_cast<const arrow::StringArray&>(*chunk), missing, source));
  return std::make_shared<arrow::ChunkedArray>(chunks);
}

}  // namespace

Table read_tabular(const fs::path& path, const TableOptions& options, bool skipinitialspace) {
  Table table = read_table(path, options);
  if (!skipinitialspace) return table;
  const auto& cells = *table.data().table();
  const Missing missing(options.missing);
  std::vector<std::shared_ptr<arrow::ChunkedArray>> columns(static_cast<std::size_t>(cells.num_columns()));
  ThreadPool().for_each(columns.size(), [&](std::size_t c) {
    columns[c] = trimmed(cells.column(static_cast<int>(c)), missing, path);
  });
  std::vector<std::shared_ptr<arrow::Field>> fields;
  for (std::size_t c = 0; c < columns.size(); ++c)
    fields.push_back(arrow::field(std::string(without_blanks(table.names()[c])), columns[c]->type()));
  return Table(std::make_shared<detail::TableData>(arrow::Table::Make(arrow::schema(fields), columns, cells.num_rows()),
                                                   table.source(), table.data().first_line()));
}

}  // namespace kindling
