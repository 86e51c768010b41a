#pragma once
/// How `--label` says what a photo shows.

#include <kindling/core/files.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kindling::cli {

/// A photo as the label rules see it.
struct PhotoFile {
  fs::path path;
  fs::path name;   ///< below DATA
  fs::path inner;  ///< the same, below train/ or valid/ where these split the data
};

struct LabelRule {
  /// The label, or nothing for a photo that the rule does not cover.
  std::function<std::optional<std::string>(const PhotoFile&)> label;
  std::string no_label;  ///< why a photo has none
  /// Where photos have several labels: all of one.
  std::function<std::optional<std::vector<std::string>>(const PhotoFile&)> labels = {};
};

/// Reads `parent`, `name-case`, `name-case:UPPER,lower`, `regex:PATTERN` or `csv:FILE[:COLUMN[:DELIMITER]]`.
/// Throws `usage` for another text, and what reading the table throws.
LabelRule label_rule(const std::string& text);

/// Whether the rule gives a photo several labels.
bool gives_several_labels(const std::string& text);

}  // namespace kindling::cli
