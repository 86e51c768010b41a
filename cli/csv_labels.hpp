#pragma once
/// Labels out of a CSV file of two columns: a photo's name and its label.

#include <kindling/core/files.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace kindling::cli {

struct CsvRecord {
  std::size_t line = 0;  ///< on which it begins, from 1
  std::vector<std::string> fields;
};

/// Records of RFC 4180: quotes may enclose fields, `""` is a quote in one, lines end in LF or CRLF. Empty
/// lines are left out. Throws `bad_data` naming `where` and the line.
std::vector<CsvRecord> parse_csv(std::string_view text, const std::string& where);

class CsvLabels {
 public:
  /// Reads a file whose first line names the columns. Throws `bad_data` for rows that do not have two fields
  /// and for a photo with two labels.
  explicit CsvLabels(const fs::path& file);

  /// The label of a photo below DATA: by its path, else its name, else its name without the extension.
  std::optional<std::string> find(const fs::path& name) const;

 private:
  std::unordered_map<std::string, std::string> labels_;
};

}  // namespace kindling::cli
