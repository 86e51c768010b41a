#include "data/read_csv.hpp"

#include <kindling/core/error.hpp>
#include <kindling/core/thread_pool.hpp>

#include "core/free_memory.hpp"
#include "data/arrow_table.hpp"
#include "data/csv_scan.hpp"
#include "data/text_column.hpp"

#include <algorithm>
#include <set>

#include <arrow/csv/api.h>
#include <arrow/io/memory.h>
#include <arrow/util/utf8.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling {

namespace {

using detail::CsvScan, detail::CsvSlice;
using ColumnTypes = std::unordered_map<std::string, std::shared_ptr<arrow::DataType>>;

/// Bytes that one thread reads at a time, and that Arrow does within them.
constexpr std::size_t least_slice_bytes = std::size_t{1} << 20, most_slice_bytes = std::size_t{1} << 24;
constexpr std::int64_t block_bytes = std::int64_t{1} << 22;
/// Smaller texts leave little behind.
constexpr std::size_t worth_returning = std::size_t{1} << 26;
/// A column of text with more different cells than this in a block is kept cell by cell.
constexpr int most_distinct = 1 << 14;

/// Where a type stands among those that Arrow tries, the most special first.
int rank(const arrow::DataType& type) {
  constexpr arrow::Type::type order[] = {arrow::Type::NA,     arrow::Type::INT64,  arrow::Type::BOOL,
                                         arrow::Type::DOUBLE, arrow::Type::DATE32, arrow::Type::TIME32,
                                         arrow::Type::TIMESTAMP, arrow::Type::DICTIONARY, arrow::Type::STRING};
  const auto* found = std::find(std::begin(order), std::end(order), type.id());
  // Of timestamps that of nanoseconds comes last.
  const bool nanoseconds = type.id() == arrow::Type::TIMESTAMP &&
                           static_cast<const arrow::TimestampType&>(type).unit() == arrow::TimeUnit::NANO;
  return 2 * static_cast<int>(found - std::begin(order)) + (nanoseconds ? 1 : 0);
}

std::string ending_of(fs::path path) {
  if (path.extension() == ".gz") path = path.stem();
  std::string ending = path.extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending;
}

/// A CSV file on its way to a table.
class CsvFile {
 public:
  CsvFile(std::string_view text, const fs::path& path, const TableOptions& options,
          const std::function<void(std::string_view)>& release, std::size_t slice_bytes)
      : text_(text), path_(path), options_(options), release_(release), slice_bytes_(slice_bytes) {}

  Table read() {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
    if (text_.find_first_not_of(" \t\r\n") == std::string_view::npos) {
      throw Error(ErrorCode::bad_data, "the table is empty", {{"path", path_}},
                  "its first line names the columns, with commas between");
    }
    slices_ = detail::csv_slices(text_, slice_size(), release_);
    check_text();
    delimiter_ = choose_delimiter();
    read_header();
    check_quotes();
    const auto table = parse();
    return Table(std::make_shared<detail::TableData>(table, path_, first_line(*table)));
  }

 private:
  /// As much for each core, more than once, since slices take unlike long.
  std::size_t slice_size() const {
    if (slice_bytes_ > 0) return slice_bytes_;
    const std::size_t parts = 4 * static_cast<std::size_t>(hardware_threads());
    return std::clamp(text_.size() / parts, least_slice_bytes, most_slice_bytes);
  }

  void check_text() const {
    for (const CsvSlice& slice : slices_) {
      if (!slice.is_utf8) fail_encoding(slice.text);
    }
  }

  /// The first line that is not UTF-8, found by lines: one is short, the file may be long.
  [[noreturn]] void fail_encoding(std::string_view slice) const {
    std::size_t begin = 0;
    for (std::string_view line; begin < slice.size(); begin += line.size() + 1) {
      line = slice.substr(begin, std::min(slice.find('\n', begin), slice.size()) - begin);
      if (!arrow::util::ValidateUTF8(line)) break;
    }
    const std::string_view before(text_.data(), static_cast<std::size_t>(slice.data() - text_.data()) + begin);
    throw Error(ErrorCode::bad_data, "the table is not UTF-8 text: it looks like Latin-1",
                {{"path", path_}, {"line", 1 + std::count(before.begin(), before.end(), '\n')}},
                "save it in UTF-8, or say .encoding = \"latin1\"");
  }

  char choose_delimiter() const {
    if (options_.delimiter != 0) return options_.delimiter;
    const std::string ending = ending_of(path_);
    if (ending == ".tsv" || ending == ".tab") return '\t';
    const std::string_view first = text_.substr(0, text_.find_first_of("\r\n"));
    for (char candidate : {',', '\t', ';', '|'}) {
      CsvScan::Record record;
      if (CsvScan(first, candidate).next(record) && record.fields.size() > 1) return candidate;
    }
    return ',';
  }

  void read_header() {
    CsvScan scan(text_, delimiter_);
    CsvScan::Record first;
    scan.next(first);
    if (first.open_quote) fail_open_quote(first.line);
    for (std::size_t c = 0; c < first.fields.size(); ++c) {
      std::string& name = first.fields[c];
      if (options_.skipinitialspace) name.erase(0, std::min(name.find_first_not_of(' '), name.size()));
      // An unnamed column gets the name that pandas gives it; it is the index that pandas wrote.
      names_.push_back(!options_.header ? std::to_string(c) : name.empty() ? fmt::format("Unnamed: {}", c) : name);
    }
    std::set<std::string> seen;
    for (const std::string& name : names_) {
      if (seen.insert(name).second) continue;
      throw Error(ErrorCode::bad_data, "two columns of the table have the same name",
                  {{"path", path_}, {"line", first.line}, {"column", name}},
                  "give each column a name of its own, or say .header = false where the first line holds values");
    }
    for (const ColumnRef& ref : options_.columns) chosen_.push_back(name_of_column(ref));
    body_ = options_.header ? text_.substr(scan.at()) : text_;
    body_line_ = options_.header ? scan.line() : 1;
  }

  void check_quotes() {
    std::int64_t quotes = 0;
    for (const CsvSlice& slice : slices_) quotes += slice.quotes;
    const std::string_view header = text_.substr(0, text_.size() - body_.size());
    quotes -= std::count(header.begin(), header.end(), '"');
    has_quotes_ = quotes > 0;
    if (quotes % 2 == 0) return;
    // An odd number is right only where one stands inside of a field without quotes.
    CsvScan scan(body_, delimiter_);
    for (CsvScan::Record record; scan.next(record);) {
      if (record.open_quote) fail_open_quote(body_line_ + record.line - 1);
    }
  }

  [[noreturn]] void fail_open_quote(std::int64_t line) const {
    throw Error(ErrorCode::bad_data, "the table cannot be read: a quoted field does not end",
                {{"path", path_}, {"line", line}},
                "enclose a field with commas or quotes in quotes, and write a quote inside as two");
  }

  std::shared_ptr<arrow::Table> parse() const {
    if (body_.find_first_not_of("\r\n") == std::string_view::npos) return without_rows();
    if (const auto table = in_slices()) return table;
    // As one: a row longer than a block, quotes that slices were cut within, and whatever is wrong.
    auto result = run(body_, body_.size() < 0x7FFFFFFF ? static_cast<std::int64_t>(body_.size()) + 1 : 0x7FFFFFFF);
    if (!result.ok()) explain(result.status());
    return tidy((*result)->columns());
  }

  /// Each slice a table, read side by side; nothing where one cannot be read by itself.
  std::shared_ptr<arrow::Table> in_slices() const {
    std::vector<std::string_view> slices = parts_of_text();
    const auto header = static_cast<std::size_t>(body_.data() - text_.data());
    if (slices.front().size() < header) return nullptr;
    slices.front().remove_prefix(header);
    std::erase_if(slices, [](std::string_view s) { return s.find_first_not_of("\r\n") == std::string_view::npos; });
    std::vector<arrow::ChunkedArrayVector> parts(slices.size());
    const auto read = [&](std::size_t i) {
      const auto table = run(slices[i], block_bytes);
      release_(slices[i]);
      if (table.ok()) parts[i] = (*table)->columns();
    };
    for_each(slices.size(), read);
    if (std::any_of(parts.begin(), parts.end(), [](const auto& part) { return part.empty(); })) return nullptr;
    arrow::ChunkedArrayVector columns(parts.front().size());
    for_each(columns.size(), [&](std::size_t c) {
      columns[c] = join(slices, parts, c);
      for (auto& part : parts) part[c] = nullptr;
      if (text_.size() > worth_returning) detail::return_free_memory();
    });
    return tidy(columns);
  }

  /// What can be read by itself: the slices, but those that begin within a quoted field.
  std::vector<std::string_view> parts_of_text() const {
    if (has_quotes_) return detail::joined_at_quotes(text_, slices_, delimiter_);
    std::vector<std::string_view> parts;
    for (const CsvSlice& slice : slices_) parts.push_back(slice.text);
    return parts;
  }

  static void for_each(std::size_t n, const std::function<void(std::size_t)>& work) {
    if (n == 1) return work(0);
    ThreadPool().for_each(n, work);
  }

  /// One column of all slices. Where they differ in its type, it gets the one that reading it as a whole would have found.
  std::shared_ptr<arrow::ChunkedArray> join(const std::vector<std::string_view>& slices,
                                            const std::vector<arrow::ChunkedArrayVector>& parts, std::size_t c) const {
    const auto by_rank = [&](const auto& a, const auto& b) { return rank(*a[c]->type()) < rank(*b[c]->type()); };
    auto type = (*std::max_element(parts.begin(), parts.end(), by_rank))[c]->type();
    auto chunks = as_type(slices, parts, c, type);
    // 1 and True, say, are one type only as text.
    if (!chunks.ok()) chunks = as_type(slices, parts, c, type = detail::text_dictionary());
    auto all = detail::value_of(std::move(chunks), path_);
    if (all.empty()) return std::make_shared<arrow::ChunkedArray>(arrow::ArrayVector(), type);
    return detail::value_of(detail::one_chunk(std::move(all)), path_);
  }

  arrow::Result<arrow::ArrayVector> as_type(const std::vector<std::string_view>& slices,
                                            const std::vector<arrow::ChunkedArrayVector>& parts, std::size_t c,
                                            const std::shared_ptr<arrow::DataType>& type) const {
    arrow::ArrayVector chunks;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      auto column = parts[i][c];
      if (!column->type()->Equals(*type)) {
        const std::string& name = chosen_.empty() ? names_[c] : chosen_[c];
        ARROW_ASSIGN_OR_RAISE(const auto again, run(slices[i], block_bytes, {name}, {{name, type}}));
        release_(slices[i]);
        column = again->column(0);
      }
      chunks.insert(chunks.end(), column->chunks().begin(), column->chunks().end());
    }
    return chunks;
  }

  /// The text's rows by Arrow, in this thread.
  arrow::Result<std::shared_ptr<arrow::Table>> run(std::string_view text, std::int64_t block_size) const {
    ColumnTypes types;
    for (const ColumnRef& ref : options_.as_text) types[name_of_column(ref)] = arrow::utf8();
    return run(text, block_size, chosen_, types);
  }

  arrow::Result<std::shared_ptr<arrow::Table>> run(std::string_view text, std::int64_t block_size,
                                                   const std::vector<std::string>& columns,
                                                   const ColumnTypes& types) const {
    auto read = arrow::csv::ReadOptions::Defaults();
    read.column_names = names_;
    read.use_threads = false;
    read.block_size = static_cast<std::int32_t>(block_size);
    auto parsing = arrow::csv::ParseOptions::Defaults();
    parsing.delimiter = delimiter_;
    parsing.newlines_in_values = has_quotes_;
    auto convert = arrow::csv::ConvertOptions::Defaults();
    convert.null_values = options_.missing;
    convert.strings_can_be_null = true;
    convert.true_values = {"True", "TRUE", "true"};
    convert.false_values = {"False", "FALSE", "false"};
    convert.check_utf8 = false;  // check_text did
    convert.auto_dict_encode = true;
    convert.auto_dict_max_cardinality = most_distinct;
    convert.include_columns = columns;
    convert.column_types = types;
    const auto bytes = std::make_shared<arrow::Buffer>(reinterpret_cast<const std::uint8_t*>(text.data()),
                                                       static_cast<std::int64_t>(text.size()));
    // The system's allocator gives back what each slice leaves, Arrow's own keeps it.
    ARROW_ASSIGN_OR_RAISE(auto reader, arrow::csv::TableReader::Make(arrow::io::IOContext(arrow::system_memory_pool()),
                                                                     std::make_shared<arrow::io::BufferReader>(bytes),
                                                                     read, parsing, convert));
    return reader->Read();
  }

  /// The columns with their names, each one chunk, without blanks where they are not wanted.
  std::shared_ptr<arrow::Table> tidy(arrow::ChunkedArrayVector columns) const {
    const std::vector<std::string>& names = chosen_.empty() ? names_ : chosen_;
    arrow::FieldVector fields;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (options_.skipinitialspace)
        columns[c] = detail::value_of(detail::without_leading_blanks(columns[c], options_.missing), path_);
      columns[c] = detail::value_of(detail::with_small_places(columns[c]), path_);
      fields.push_back(arrow::field(names[c], columns[c]->type()));
    }
    return arrow::Table::Make(arrow::schema(fields), columns);
  }

  const std::string& name_of_column(const ColumnRef& ref) const {
    const auto found = ref.name() ? std::find(names_.begin(), names_.end(), *ref.name())
                       : ref.place() >= 0 && ref.place() < static_cast<int>(names_.size())
                           ? names_.begin() + ref.place()
                           : names_.end();
    if (found != names_.end()) return *found;
    throw Error(ErrorCode::bad_data, "the table has no column " + ref.to_string(),
                {{"path", path_}, {"columns", fmt::format("'{}'", fmt::join(names_, "', '"))}},
                "check the column's name" + (ref.name() ? did_you_mean(*ref.name(), names_) : std::string()));
  }

  std::shared_ptr<arrow::Table> without_rows() const {
    arrow::FieldVector fields;
    for (const std::string& name : chosen_.empty() ? names_ : chosen_) fields.push_back(arrow::field(name, arrow::utf8()));
    return detail::value_of(arrow::Table::MakeEmpty(arrow::schema(fields)), path_);
  }

  /// Finds the line that Arrow could not read.
  [[noreturn]] void explain(const arrow::Status& status) const {
    CsvScan scan(body_, delimiter_);
    for (CsvScan::Record record; scan.next(record);) {
      const std::int64_t line = body_line_ + record.line - 1;
      if (record.open_quote) fail_open_quote(line);
      if (record.fields.size() == names_.size()) continue;
      const std::string field = names_.size() == 1 ? "field" : "fields";
      throw Error(ErrorCode::bad_data,
                  fmt::format("a row of the table has {} where the first has {} {}", record.fields.size(),
                              names_.size(), field),
                  {{"path", path_}, {"line", line}},
                  "put a field that holds the delimiter in quotes, and give every row as many fields as the first; or "
                  "say what the .delimiter is");
    }
    throw Error(ErrorCode::bad_data, "the table cannot be read: " + status.message(), {{"path", path_}});
  }

  std::optional<std::int64_t> first_line(const arrow::Table& table) const {
    std::int64_t lines = text_.ends_with('\n') ? 0 : 1;
    for (const CsvSlice& slice : slices_) lines += slice.line_breaks;
    if (lines - (body_line_ - 1) != table.num_rows()) return std::nullopt;
    return body_line_;
  }

  std::string_view text_;
  const fs::path& path_;
  const TableOptions& options_;
  const std::function<void(std::string_view)>& release_;
  std::size_t slice_bytes_;
  std::vector<CsvSlice> slices_;
  char delimiter_ = ',';
  std::vector<std::string> names_;
  std::vector<std::string> chosen_;  ///< of names_; empty: all
  std::string_view body_;
  std::int64_t body_line_ = 1;
  bool has_quotes_ = false;
};

}  // namespace

Table detail::read_csv(std::string_view text, const fs::path& path, const TableOptions& options,
                       const std::function<void(std::string_view)>& release, std::size_t slice_bytes) {
  return CsvFile(text, path, options, release, slice_bytes).read();
}

}  // namespace kindling
