#pragma once
/// Tables: rows of named columns, out of CSV, TSV and Parquet files or made in memory.
///
///   Table labels = read_table("labels.csv");
///   labels.describe();                                     // the columns with the types that were found
///   std::string breed = labels.text(0, "breed");
///   auto block = DataBlock({.get_x = ColReader("file", {.pref = path}), .get_y = ColReader("breed"), …});
///   auto dls = block.dataloaders(rows_of(labels));

#include <kindling/data/items.hpp>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace kindling {

namespace detail {
class TableData;
}

/// What a column holds. Dates are kept as such and read as ISO text ("2011-11-01", "2011-11-01 12:30:00").
enum class ColumnType { integer, number, boolean, text, date, other };

/// "integer", "number" …
std::string_view name_of(ColumnType type);

/// A column by its name, or by its place from 0.
class ColumnRef {
 public:
  ColumnRef(int place) : ref_(place) {}
  ColumnRef(std::string name) : ref_(std::move(name)) {}
  ColumnRef(const char* name) : ref_(std::string(name)) {}
  const std::string* name() const { return std::get_if<std::string>(&ref_); }
  /// The place; -1 for a column by name.
  int place() const { return name() ? -1 : std::get<int>(ref_); }
  /// "'breed'" or "2", for messages.
  std::string to_string() const { return name() ? "'" + *name() + "'" : std::to_string(place()); }

 private:
  std::variant<int, std::string> ref_;
};

/// One column or a list of them: "label", 1, {"top", "left"}.
class ColumnRefs {
 public:
  template <class One>
    requires std::convertible_to<One, ColumnRef>
  ColumnRefs(One one) : refs_{ColumnRef(one)} {}
  ColumnRefs(std::initializer_list<ColumnRef> refs) : refs_(refs) {}
  ColumnRefs(std::vector<ColumnRef> refs) : refs_(std::move(refs)) {}
  const std::vector<ColumnRef>& list() const { return refs_; }

 private:
  std::vector<ColumnRef> refs_;
};

struct TableOptions {
  /// Between fields; 0: a tab for .tsv and .tab, otherwise what the first line holds: comma, else tab, semicolon or
  /// bar.
  char delimiter = 0;
  /// Whether the first line names the columns; otherwise they are called "0", "1" …
  bool header = true;
  /// What stands for a value that is missing (pandas' list). Such cells are null, in columns of text too.
  std::vector<std::string> missing = {"",     "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN",
                                      "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",     "NA",       "NULL",
                                      "NaN",  "None", "n/a",      "nan", "null"};
  /// Columns that stay text whatever they look like: names, codes with leading zeros.
  std::vector<ColumnRef> as_text = {};
  /// The columns to read, in this order; none: all of them.
  std::vector<ColumnRef> columns = {};
  /// Blanks after a delimiter are no part of a name or a text (pandas' option of that name).
  bool skipinitialspace = false;
  /// "utf-8", or "latin1" for old files (Windows-1252 reads as that too).
  std::string encoding = "utf-8";
  /// A file, after unpacking, of more bytes is refused.
  std::uint64_t max_bytes = std::uint64_t{1} << 33;
};

/// A table that does not change; copies share the cells. Rows are numbered from 0.
class Table {
 public:
  /// Cells of a column made in memory; a cell without a value is missing.
  using Numbers = std::vector<std::optional<double>>;
  using Texts = std::vector<std::optional<std::string>>;
  using Column = std::variant<std::vector<std::int64_t>, std::vector<double>, std::vector<std::string>,
                              std::vector<bool>, Numbers, Texts>;
  using Columns = std::vector<std::pair<std::string, Column>>;

  /// Without columns and rows.
  Table();
  /// NaN in numbers is missing. Throws `usage` for columns of different lengths, `bad_data` for two of one name.
  explicit Table(const Columns& columns);
  explicit Table(std::shared_ptr<const detail::TableData> data) : data_(std::move(data)) {}

  std::int64_t n_rows() const;
  int n_columns() const;
  const std::vector<std::string>& names() const;
  bool contains(const std::string& column) const;
  /// The column's place. Throws `bad_data` naming the table's file, its columns and the nearest name.
  int column(const ColumnRef& column) const;
  ColumnType type(const ColumnRef& column) const;

  bool is_null(std::int64_t row, const ColumnRef& column) const;
  /// The cell as text: numbers as Python prints them, truth as "True" and "False", nothing for a missing one.
  std::string text(std::int64_t row, const ColumnRef& column) const;
  /// The cell as number: NaN for a missing one, 0 or 1 for truth; text is parsed. Throws `bad_data` naming file and
  /// row for text that is no number, `usage` for a date.
  double number(std::int64_t row, const ColumnRef& column) const;
  /// The cell as truth: of a number whether it is not 0; of text "true", "1", "yes" and their opposites in any case. A
  /// missing one is false. Throws `bad_data` for other text.
  bool truth(std::int64_t row, const ColumnRef& column) const;

  /// Whole columns, for loops over many rows: missing cells are NaN, or no text.
  std::vector<double> numbers(const ColumnRef& column) const;
  Texts texts(const ColumnRef& column) const;

  /// The same rows with one column more, or another in its place.
  Table with_column(const std::string& name, const Column& cells) const;
  /// These columns alone, in this order.
  Table select(const std::vector<ColumnRef>& columns) const;
  /// These rows alone, in this order. Throws `usage` for a row outside the table.
  Table take(const std::vector<std::int64_t>& rows) const;

  /// The file that it was read from; empty for a table made in memory.
  const fs::path& source() const;
  /// The line of the file that holds the row, where rows are lines.
  std::optional<std::int64_t> line(std::int64_t row) const;
  /// "row 3 (line 5 of labels.csv)", for messages.
  std::string where(std::int64_t row) const;
  /// Rows, columns, and of each column its type, how many cells are missing, and the first values.
  std::string describe() const;

  /// RFC 4180 with a header line; missing cells are empty.
  std::string to_csv() const;
  /// `to_csv` into a file, atomically.
  void save_csv(const fs::path& path) const;

  const detail::TableData& data() const { return *data_; }

 private:
  std::shared_ptr<const detail::TableData> data_;
};

/// Reads CSV, TSV or Parquet, told by content (Parquet, gzip) and ending; the types of CSV columns are inferred. A mark of
/// the byte order is skipped, fields may be quoted and hold line breaks, empty lines are left out. Throws
/// `bad_data` naming file and line: rows with too few or too many fields, two columns of one name, a quoted field that does
/// not end, text that is not UTF-8 (and what it looks like), an empty file.
Table read_table(const fs::path& path, const TableOptions& options = {});

/// One item a row: what a `DataBlock` over a table starts from.
Items rows_of(Table table);

}  // namespace kindling
