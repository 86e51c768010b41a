#include "cli/label_rule.hpp"

#include <kindling/core/error.hpp>
#include <kindling/data/labels.hpp>

#include "cli/csv_labels.hpp"

#include <cctype>
#include <memory>

namespace kindling::cli {

namespace {

using Label = std::optional<std::string>;

LabelRule by_folder() {
  return {[](const PhotoFile& photo) -> Label {
            const fs::path folder = photo.inner.parent_path();
            if (folder.empty()) return std::nullopt;
            return folder.filename().string();
          },
          "not in the folder of a class"};
}

LabelRule by_name_case(const std::string& upper, const std::string& lower) {
  return {[upper, lower](const PhotoFile& photo) -> Label {
            const std::string name = photo.path.filename().string();
            const auto first = static_cast<unsigned char>(name.at(0));
            if (std::isupper(first) != 0) return upper;
            if (std::islower(first) != 0) return lower;
            return std::nullopt;
          },
          "its name begins with no letter from A to Z, so that it is in neither case"};
}

LabelRule by_pattern(const std::string& pattern) {
  return {[labeller = RegexLabeller(pattern)](const PhotoFile& photo) -> Label {
            const std::string label = labeller(photo.name.generic_string());
            if (!label.empty()) return label;
            throw Error(ErrorCode::bad_data, "the label pattern gives an empty label", {{"name", photo.name}},
                        "let the group of the pattern match at least one letter");
          },
          ""};
}

LabelRule by_csv(const CsvRule& csv) {
  const auto labels = std::make_shared<const CsvLabels>(csv);
  const auto all = [labels](const PhotoFile& photo) { return labels->find(photo.name); };
  LabelRule rule{[all](const PhotoFile& photo) -> Label {
                   const auto found = all(photo);
                   if (!found) return std::nullopt;
                   std::string text;
                   for (const std::string& label : *found) text += (text.empty() ? "" : ";") + label;
                   return text;
                 },
                 "no label in " + csv.file.filename().string()};
  if (!csv.delimiter.empty()) rule.labels = all;
  return rule;
}

LabelRule name_case_of(const std::string& names) {
  const std::size_t comma = names.find(',');
  const std::string upper = names.substr(0, comma);
  const std::string lower = comma == std::string::npos ? "" : names.substr(comma + 1);
  if (upper.empty() || lower.empty() || upper == lower || lower.find(',') != std::string::npos) {
    throw Error(ErrorCode::usage, "name-case takes two labels, for upper and for lower case",
                {{"got", names}}, "e.g. --label name-case:cat,dog");
  }
  return by_name_case(upper, lower);
}

}  // namespace

LabelRule label_rule(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (text == "parent") return by_folder();
  if (text == "name-case") return by_name_case("upper", "lower");
  if (kind == "name-case") return name_case_of(rest);
  if (kind == "regex" && !rest.empty()) return by_pattern(rest);
  if (kind == "csv" && !rest.empty()) return by_csv(CsvRule::from(rest));
  throw Error(
      ErrorCode::usage, "there is no such way to find labels", {{"--label", text}},
      "one of parent, name-case, name-case:UPPER,LOWER, 'regex:PATTERN', csv:FILE[:COLUMN[:DELIMITER]]" +
          did_you_mean(kind, {"parent", "name-case", "regex", "csv"}));
}

bool gives_several_labels(const std::string& text) {
  return text.starts_with("csv:") && !CsvRule::from(text.substr(4)).delimiter.empty();
}

}  // namespace kindling::cli
