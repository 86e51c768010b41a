#include "data/csv_scan.hpp"

#include <kindling/core/thread_pool.hpp>

#include <arrow/util/utf8.h>

namespace kindling::detail {

namespace {

/// Rare bytes are found faster one after the other than all are compared.
std::int64_t count(std::string_view text, char byte) {
  std::int64_t n = 0;
  for (auto at = text.find(byte); at != std::string_view::npos; at = text.find(byte, at + 1)) ++n;
  return n;
}

/// Walks from quote to quote: one at the beginning of a field opens it, and any other in a field without quotes is a character.
class QuotedFields {
 public:
  QuotedFields(std::string_view text, char delimiter) : text_(text), delimiter_(delimiter), quote_(text.find('"')) {}

  /// Whether a quoted field goes on over this place. Asked for ascending places.
  bool hold(std::size_t place) {
    while (quote_ < place) {
      const char before = quote_ == 0 ? '\n' : text_[quote_ - 1];
      const bool opens = before == delimiter_ || before == '\n' || before == '\r';
      end_ = opens ? end_of(quote_) : quote_ + 1;
      quote_ = text_.find('"', end_);
    }
    return end_ > place;
  }

 private:
  /// Behind the quote that closes what `open` opens.
  std::size_t end_of(std::size_t open) const {
    std::size_t at = text_.find('"', open + 1);
    while (at != std::string_view::npos && at + 1 < text_.size() && text_[at + 1] == '"') at = text_.find('"', at + 2);
    return at == std::string_view::npos ? text_.size() : at + 1;
  }

  std::string_view text_;
  char delimiter_;
  std::size_t quote_;    ///< the next one
  std::size_t end_ = 0;  ///< of what the last one opened
};

}  // namespace

bool CsvScan::next(Record& record) {
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

void CsvScan::end_line() {
  if (text_.substr(at_).starts_with("\r\n")) ++at_;
  ++at_;
  ++line_;
}

std::string CsvScan::field(Record& record) {
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

std::vector<CsvSlice> csv_slices(std::string_view text, std::size_t size,
                                 const std::function<void(std::string_view)>& release) {
  std::vector<CsvSlice> slices;
  while (!text.empty()) {
    const std::size_t line_end = text.size() > size ? text.find('\n', size) : std::string_view::npos;
    const std::size_t end = line_end == std::string_view::npos ? text.size() : line_end + 1;
    slices.push_back({.text = text.substr(0, end)});
    text.remove_prefix(end);
  }
  arrow::util::InitializeUTF8();
  const auto look = [&](std::size_t i) {
    CsvSlice& slice = slices[i];
    slice.quotes = count(slice.text, '"');
    slice.line_breaks = count(slice.text, '\n');
    slice.is_utf8 = arrow::util::ValidateUTF8(slice.text);
    release(slice.text);
  };
  if (slices.size() == 1)
    look(0);
  else
    ThreadPool().for_each(slices.size(), look);
  return slices;
}

std::vector<std::string_view> joined_at_quotes(std::string_view text, const std::vector<CsvSlice>& slices, char delimiter) {
  QuotedFields fields(text, delimiter);
  std::vector<std::string_view> joined;
  for (const CsvSlice& slice : slices) {
    if (joined.empty() || !fields.hold(static_cast<std::size_t>(slice.text.data() - text.data())))
      joined.push_back(slice.text);
    else
      joined.back() = {joined.back().data(), joined.back().size() + slice.text.size()};
  }
  return joined;
}

}  // namespace kindling::detail
