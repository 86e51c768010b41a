#include "core/csv.hpp"

#include <kindling/core/error.hpp>

#include <algorithm>

namespace kindling::detail {

namespace {

/// Reads a CSV text from its beginning to its end.
class CsvParser {
 public:
  CsvParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  std::vector<CsvRecord> records() {
    std::vector<CsvRecord> records;
    while (at_ < text_.size()) {
      CsvRecord record = next();
      const bool empty_line = record.fields.size() == 1 && record.fields[0].empty();
      if (!empty_line) records.push_back(std::move(record));
    }
    return records;
  }

 private:
  CsvRecord next() {
    CsvRecord record{.line = line_};
    while (true) {
      record.fields.push_back(peek() == '"' ? quoted() : plain());
      if (peek() != ',') break;
      ++at_;
    }
    if (text_.substr(at_).starts_with("\r\n")) ++at_;
    if (at_ < text_.size()) {
      if (text_[at_] != '\n') fail("text follows a quoted field");
      ++at_;
      ++line_;
    }
    return record;
  }

  std::string plain() {
    const std::size_t end = std::min(text_.find_first_of(",\n\"", at_), text_.size());
    if (end < text_.size() && text_[end] == '"') fail("a quote stands inside a field that is not quoted");
    std::string field(text_.substr(at_, end - at_));
    at_ = end;
    // The CR of a line end belongs to the line and not to its last field.
    if (field.ends_with('\r') && (at_ == text_.size() || text_[at_] == '\n')) field.pop_back();
    return field;
  }

  std::string quoted() {
    const std::size_t first_line = line_;
    std::string field;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] == '"') {
        ++at_;
        if (peek() != '"') return field;
      }
      field += text_[at_];
    }
    line_ = first_line;
    fail("a quoted field does not end");
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ErrorCode::bad_data, "the CSV cannot be read: " + reason, {{"path", where_}, {"line", line_}},
                "enclose a field with commas or quotes in quotes, and write a quote inside as two");
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

}  // namespace

std::vector<CsvRecord> parse_csv(std::string_view text, const std::string& where) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return CsvParser(text, where).records();
}

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) line += ',';
    const std::string& field = fields[i];
    // An empty first field of several would read as the same without quotes; a lone one as no record at all.
    const bool quoted = field.find_first_of(",\"\r\n") != std::string::npos || (fields.size() == 1 && field.empty());
    if (!quoted) {
      line += field;
      continue;
    }
    line += '"';
    for (char c : field) line += c == '"' ? std::string("\"\"") : std::string(1, c);
    line += '"';
  }
  return line + "\n";
}

}  // namespace kindling::detail
