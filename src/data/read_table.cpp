#include <kindling/core/error.hpp>
#include <kindling/data/table.hpp>

#include "data/arrow_table.hpp"

#include <algorithm>
#include <set>

#include <arrow/csv/api.h>
#include <arrow/io/compressed.h>
#include <arrow/io/memory.h>
#include <arrow/util/compression.h>
#include <arrow/util/utf8.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <parquet/arrow/reader.h>

namespace kindling {

namespace {

/// A file's bytes, mapped, for Arrow.
class MappedBuffer final : public arrow::Buffer {
 public:
  explicit MappedBuffer(MappedFile file)
      : arrow::Buffer(file.bytes().data(), static_cast<std::int64_t>(file.bytes().size())), file_(std::move(file)) {}

 private:
  MappedFile file_;
};

std::string_view text_of(const arrow::Buffer& buffer) {
  return {reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(buffer.size())};
}

std::string ending_of(fs::path path) {
  if (path.extension() == ".gz") path = path.stem();
  std::string ending = path.extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending;
}

std::int64_t line_at(std::string_view text, std::size_t at) {
  return 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(std::min(at, text.size())), '\n');
}

/// The records of a CSV text one by one, with the rules that Arrow has. It finds what is wrong and where; the values
/// are Arrow's to read.
class CsvScan {
 public:
  struct Record {
    std::int64_t line = 0;  ///< on which it begins
    std::vector<std::string> fields;
    bool open_quote = false;
  };

  CsvScan(std::string_view text, char delimiter) : text_(text), delimiter_(delimiter) {}

  /// The next record that is not an empty line; false at the end.
  bool next(Record& record) {
    while (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r')) end_line();
    if (at_ >= text_.size()) return false;
    record = {.line = line_};
    bool more = true;
    while (more) {
      record.fields.push_back(field(record));
      more = at_ < text_.size() && text_[at_] == delimiter_;
      if (more) ++at_;
    }
    if (at_ < text_.size()) end_line();
    return true;
  }
  std::size_t at() const { return at_; }
  std::int64_t line() const { return line_; }

 private:
  void end_line() {
    if (text_.substr(at_).starts_with("\r\n")) ++at_;
    ++at_;
    ++line_;
  }

  std::string field(Record& record) {
    std::string value;
    if (at_ < text_.size() && text_[at_] == '"') {
      ++at_;
      record.open_quote = true;
      for (; at_ < text_.size(); ++at_) {
        if (text_[at_] == '\n') ++line_;
        if (text_[at_] == '"') {
          ++at_;
          if (at_ >= text_.size() || text_[at_] != '"') {
            record.open_quote = false;
            break;
          }
        }
        value += text_[at_];
      }
    }
    while (at_ < text_.size() && text_[at_] != delimiter_ && text_[at_] != '\n' && text_[at_] != '\r')
      value += text_[at_++];
    return value;
  }

  std::string_view text_;
  char delimiter_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

/// A CSV file on its way to a table.
class CsvFile {
 public:
  CsvFile(std::string_view text, const fs::path& path, const TableOptions& options)
      : text_(text), path_(path), options_(options) {}

  Table read() {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
    if (text_.find_first_not_of(" \t\r\n") == std::string_view::npos) {
      throw Error(ErrorCode::bad_data, "the table is empty", {{"path", path_}},
                  "its first line names the columns, with commas between");
    }
    delimiter_ = choose_delimiter();
    read_header();
    check_quotes();
    const auto table = parse();
    return Table(std::make_shared<detail::TableData>(table, path_, first_line(*table)));
  }

 private:
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
      // An unnamed column gets the name that pandas gives it; it is the index that pandas wrote.
      const std::string unnamed = fmt::format("Unnamed: {}", c);
      names_.push_back(!options_.header ? std::to_string(c) : first.fields[c].empty() ? unnamed : first.fields[c]);
    }
    std::set<std::string> seen;
    for (const std::string& name : names_) {
      if (seen.insert(name).second) continue;
      throw Error(ErrorCode::bad_data, "two columns of the table have the same name",
                  {{"path", path_}, {"line", first.line}, {"column", name}},
                  "give each column a name of its own, or say .header = false where the first line holds values");
    }
    body_ = options_.header ? text_.substr(scan.at()) : text_;
    body_line_ = options_.header ? scan.line() : 1;
  }

  void check_quotes() {
    const auto quotes = std::count(body_.begin(), body_.end(), '"');
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
    auto result = run(std::clamp<std::int64_t>(static_cast<std::int64_t>(body_.size()) / 16, 1 << 20, 1 << 25));
    // A row longer than a block needs a larger one.
    if (!result.ok() && result.status().message().find("block size") != std::string::npos)
      result = run(std::min<std::int64_t>(static_cast<std::int64_t>(body_.size()) + 1, 0x7FFFFFFF));
    if (!result.ok()) explain(result.status());
    return *result;
  }

  arrow::Result<std::shared_ptr<arrow::Table>> run(std::int64_t block_size) const {
    auto read = arrow::csv::ReadOptions::Defaults();
    read.column_names = names_;
    read.block_size = static_cast<std::int32_t>(block_size);
    auto parsing = arrow::csv::ParseOptions::Defaults();
    parsing.delimiter = delimiter_;
    parsing.newlines_in_values = has_quotes_;
    const auto body = std::make_shared<arrow::Buffer>(reinterpret_cast<const std::uint8_t*>(body_.data()),
                                                      static_cast<std::int64_t>(body_.size()));
    ARROW_ASSIGN_OR_RAISE(auto reader, arrow::csv::TableReader::Make(arrow::io::default_io_context(),
                                                                     std::make_shared<arrow::io::BufferReader>(body),
                                                                     read, parsing, conversion()));
    return reader->Read();
  }

  arrow::csv::ConvertOptions conversion() const {
    auto convert = arrow::csv::ConvertOptions::Defaults();
    convert.null_values = options_.missing;
    convert.strings_can_be_null = true;
    convert.true_values = {"True", "TRUE", "true"};
    convert.false_values = {"False", "FALSE", "false"};
    for (const ColumnRef& ref : options_.as_text) convert.column_types[name_of_column(ref)] = arrow::utf8();
    return convert;
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
    std::vector<std::shared_ptr<arrow::Field>> fields;
    for (const std::string& name : names_) fields.push_back(arrow::field(name, arrow::utf8()));
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
    auto lines = std::count(body_.begin(), body_.end(), '\n');
    if (!body_.empty() && !body_.ends_with('\n')) ++lines;
    if (lines != table.num_rows()) return std::nullopt;
    return body_line_;
  }

  std::string_view text_;
  const fs::path& path_;
  const TableOptions& options_;
  char delimiter_ = ',';
  std::vector<std::string> names_;
  std::string_view body_;
  std::int64_t body_line_ = 1;
  bool has_quotes_ = false;
};

std::shared_ptr<arrow::Buffer> unpacked(const std::shared_ptr<arrow::Buffer>& packed, const fs::path& path,
                                        const TableOptions& options) {
  auto codec = detail::value_of(arrow::util::Codec::Create(arrow::Compression::GZIP), path);
  auto stream = detail::value_of(
      arrow::io::CompressedInputStream::Make(codec.get(), std::make_shared<arrow::io::BufferReader>(packed)), path);
  std::string text;
  while (true) {
    constexpr std::int64_t block = 1 << 20;
    auto part = stream->Read(block);
    if (!part.ok()) {
      throw Error(ErrorCode::bad_data, "the gzip file is damaged or ends early", {{"path", path}},
                  "copy it again from where it came");
    }
    if ((*part)->size() == 0) return arrow::Buffer::FromString(std::move(text));
    text += text_of(**part);
    if (text.size() > options.max_bytes) {
      throw Error(ErrorCode::limit, "the table is larger than allowed when unpacked",
                  {{"path", path}, {"most", human_bytes(options.max_bytes)}}, "raise .max_bytes");
    }
  }
}

Table read_parquet(const std::shared_ptr<arrow::Buffer>& bytes, const fs::path& path) {
  // Parquet's own checks throw.
  try {
    auto reader = detail::value_of(parquet::arrow::OpenFile(std::make_shared<arrow::io::BufferReader>(bytes),
                                                            arrow::default_memory_pool()),
                                   path);
    return Table(std::make_shared<detail::TableData>(detail::value_of(reader->ReadTable(), path), path));
  } catch (const parquet::ParquetException& e) {
    throw Error(ErrorCode::bad_data, std::string("the Parquet file is damaged: ") + e.what(), {{"path", path}},
                "copy it again from where it came");
  }
}

std::string from_latin1(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return out;
}

/// Throws for what is no UTF-8 text, saying what it looks like.
void check_text(std::string_view text, const fs::path& path) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    throw Error(ErrorCode::bad_data, "the table is not UTF-8 text: it looks like UTF-16", {{"path", path}},
                "save it as CSV in UTF-8");
  }
  if (const std::size_t at = text.substr(0, 4096).find('\0'); at != std::string_view::npos) {
    throw Error(ErrorCode::bad_data, "the file is no table of text: it holds bytes that are none", {{"path", path}},
                "give a CSV, TSV or Parquet file");
  }
  arrow::util::InitializeUTF8();
  if (arrow::util::ValidateUTF8(text)) return;
  // The first line that is not UTF-8, found by lines: one is short, the file may be long.
  std::size_t begin = 0;
  std::string_view line;
  do {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    line = text.substr(begin, end - begin);
    if (!arrow::util::ValidateUTF8(line)) break;
    begin = end + 1;
  } while (begin < text.size());
  throw Error(ErrorCode::bad_data, "the table is not UTF-8 text: it looks like Latin-1",
              {{"path", path}, {"line", line_at(text, begin)}},
              "save it in UTF-8, or say .encoding = \"latin1\"");
}

}  // namespace

Table read_table(const fs::path& path, const TableOptions& options) {
  if (options.encoding != "utf-8" && options.encoding != "latin1") {
    throw Error(ErrorCode::usage, "this encoding is not known", {{"encoding", options.encoding}},
                "use \"utf-8\" or \"latin1\"" + did_you_mean(options.encoding, {"utf-8", "latin1"}));
  }
  std::shared_ptr<arrow::Buffer> bytes = std::make_shared<MappedBuffer>(MappedFile(path));
  if (static_cast<std::uint64_t>(bytes->size()) > options.max_bytes) {
    throw Error(ErrorCode::limit, "the table is larger than allowed",
                {{"path", path}, {"most", human_bytes(options.max_bytes)}}, "raise .max_bytes");
  }
  if (text_of(*bytes).starts_with("\x1F\x8B")) bytes = unpacked(bytes, path, options);
  if (text_of(*bytes).starts_with("PAR1")) return read_parquet(bytes, path);
  if (options.encoding == "latin1") bytes = arrow::Buffer::FromString(from_latin1(text_of(*bytes)));
  check_text(text_of(*bytes), path);
  return CsvFile(text_of(*bytes), path, options).read();
}

}  // namespace kindling
