#pragma once
/// Labels out of a table: a column of photos' names, and one of their labels.

#include <kindling/core/files.hpp>

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace kindling::cli {

/// What stands behind `csv:`: FILE, FILE:COLUMN or FILE:COLUMN:DELIMITER.
struct CsvRule {
  fs::path file;
  std::string column;     ///< of the labels, a name or a place from 0; empty: the second of two
  std::string delimiter;  ///< between several labels; empty: there is one

  /// A file's name may hold colons itself: the longest beginning that is a file is taken.
  static CsvRule from(const std::string& text);
};

class CsvLabels {
 public:
  /// Reads a table whose first line names the columns, the first of which holds names of photos. Throws
  /// `bad_data` for what `read_table` refuses, for an empty cell, and for a photo with two different labels.
  explicit CsvLabels(const CsvRule& rule);

  /// The labels of a photo below DATA: by its path, else its name, else its name without the extension.
  std::optional<std::vector<std::string>> find(const fs::path& name) const;

 private:
  std::unordered_map<std::string, std::vector<std::string>> labels_;
};

}  // namespace kindling::cli
