#pragma once
/// CSV text before its values are read: records one by one, and slices that threads read side by side.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace kindling::detail {

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
  bool next(Record& record);
  std::size_t at() const { return at_; }
  std::int64_t line() const { return line_; }

 private:
  void end_line();
  std::string field(Record& record);

  std::string_view text_;
  char delimiter_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

/// Whole lines of a text, and what was counted in them.
struct CsvSlice {
  std::string_view text;
  std::int64_t quotes = 0;
  std::int64_t line_breaks = 0;
  bool is_utf8 = true;
};

/// The text in slices of about `size` bytes, counted on all cores. `release` is told of each slice when its bytes are no longer
/// looked at.
std::vector<CsvSlice> csv_slices(std::string_view text, std::size_t size,
                                 const std::function<void(std::string_view)>& release);

/// The texts of these slices of `text`, with those joined to the one before that begin within a quoted field.
std::vector<std::string_view> joined_at_quotes(std::string_view text, const std::vector<CsvSlice>& slices, char delimiter);

}  // namespace kindling::detail
