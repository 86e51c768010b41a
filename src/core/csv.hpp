#pragma once
/// CSV as RFC 4180 has it.

#include <string>
#include <string_view>
#include <vector>

namespace kindling::detail {

struct CsvRecord {
  std::size_t line = 0;  ///< on which it begins, from 1
  std::vector<std::string> fields;
};

/// Records: quotes may enclose fields, `""` is a quote in one, lines end in LF or CRLF. Empty lines are left out,
/// a byte order mark is skipped. Throws `bad_data` naming `where` and the line.
std::vector<CsvRecord> parse_csv(std::string_view text, const std::string& where);

/// One line with its end; fields are quoted where they must be.
std::string csv_line(const std::vector<std::string>& fields);

}  // namespace kindling::detail
