#include "cli/csv_labels.hpp"

#include <kindling/core/error.hpp>

namespace kindling::cli {

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

CsvLabels::CsvLabels(const fs::path& file) {
  const auto records = parse_csv(read_text(file), file.string());
  if (records.empty()) {
    throw Error(ErrorCode::bad_data, "the CSV of labels is empty", {{"path", file}},
                "its first line names the columns: file,label");
  }
  for (const CsvRecord& record : records) {
    if (record.fields.size() != 2) {
      throw Error(ErrorCode::bad_data, "a line of the CSV of labels does not have two fields",
                  {{"path", file}, {"line", record.line}, {"fields", record.fields.size()}},
                  "one photo a line: its file name, a comma, its label");
    }
    if (&record == &records.front()) continue;
    const std::string& name = record.fields[0];
    const std::string& label = record.fields[1];
    if (name.empty() || label.empty()) {
      throw Error(ErrorCode::bad_data, "a line of the CSV of labels has an empty field",
                  {{"path", file}, {"line", record.line}}, "give the file name and the label");
    }
    const auto [known, is_new] = labels_.emplace(name, label);
    if (!is_new && known->second != label) {
      throw Error(
          ErrorCode::bad_data, "the CSV of labels gives a photo two labels",
          {{"path", file}, {"line", record.line}, {"file", name}, {"labels", known->second + ", " + label}},
          "keep one of the lines");
    }
  }
}

std::optional<std::string> CsvLabels::find(const fs::path& name) const {
  for (const std::string& key : {name.generic_string(), name.filename().string(), name.stem().string()}) {
    if (const auto found = labels_.find(key); found != labels_.end()) return found->second;
  }
  return std::nullopt;
}

}  // namespace kindling::cli
