#include <kindling/vision/doctor.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace kindling {

namespace {

constexpr std::size_t told_in_verdict = 3;

/// 1600 as "1,600".
std::string with_commas(std::size_t n) {
  std::string text = std::to_string(n);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::string counted(std::size_t n, std::string_view one) {
  return fmt::format("{} {}{}", n, one, n == 1 ? "" : "s");
}

Json case_json(const HealthCase& c, const HealthReport& report, const fs::path& root) {
  Json files = Json::array();
  for (const std::size_t i : c.items) {
    const HealthItem& item = report.items[i];
    Json file = {{"file", item.path.lexically_relative(root).generic_string()}};
    if (!item.label.empty()) file["label"] = item.label;
    if (item.side != SplitSide::none) file["split"] = item.side == SplitSide::train ? "train" : "valid";
    files.push_back(std::move(file));
  }
  Json json = Json::object();
  if (!c.items.empty()) json["files"] = std::move(files);
  if (!c.labels.empty()) json["labels"] = c.labels;
  if (!c.detail.empty()) json["detail"] = c.detail;
  return json;
}

Json finding_json(const HealthFinding& finding, const HealthReport& report, const fs::path& root) {
  Json cases = Json::array();
  for (const HealthCase& c : finding.cases) cases.push_back(case_json(c, report, root));
  return {{"kind", name_of(finding.kind)},
          {"severity", name_of(finding.severity())},
          {"what", finding.what()},
          {"advice", finding.advice()},
          {"cases", std::move(cases)}};
}

}  // namespace

std::size_t HealthReport::count(Severity severity) const {
  return static_cast<std::size_t>(std::ranges::count(findings, severity, &HealthFinding::severity));
}

const HealthFinding* HealthReport::find(HealthKind kind) const {
  const auto found = std::ranges::find(findings, kind, &HealthFinding::kind);
  return found == findings.end() ? nullptr : &*found;
}

std::string HealthReport::verdict() const {
  const std::size_t errors = count(Severity::error), warnings = count(Severity::warning);
  if (errors + warnings == 0) {
    return fmt::format("nothing wrong found in {} photo{}", with_commas(items.size()),
                       items.size() == 1 ? "" : "s");
  }
  std::string text;
  if (errors > 0) text += counted(errors, "error");
  if (errors > 0 && warnings > 0) text += ", ";
  if (warnings > 0) text += counted(warnings, "warning");
  const std::size_t told = std::min(told_in_verdict, errors + warnings);
  for (std::size_t i = 0; i < told; ++i) text += (i == 0 ? ": " : "; ") + findings[i].what();
  if (told < errors + warnings) text += fmt::format("; and {} more", errors + warnings - told);
  return text;
}

Json HealthReport::to_json(const fs::path& root) const {
  Json counts = Json::object(), found = Json::array(), notes = Json::array();
  for (const auto& [label, n] : classes)
    counts[label] = {{"train", n.train}, {"valid", n.valid}, {"photos", n.photos()}};
  for (const HealthFinding& finding : findings) {
    (finding.severity() == Severity::note ? notes : found).push_back(finding_json(finding, *this, root));
  }
  return {{"files", items.size()},
          {"verdict", verdict()},
          {"errors", count(Severity::error)},
          {"warnings", count(Severity::warning)},
          {"classes", std::move(counts)},
          {"findings", std::move(found)},
          {"notes", std::move(notes)}};
}

}  // namespace kindling
