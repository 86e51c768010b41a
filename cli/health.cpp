#include "cli/health.hpp"

#include "cli/output.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace kindling::cli {

namespace {

constexpr std::size_t most_examples = 3;
/// Beyond it a training does not wait for photos that only look alike.
constexpr std::size_t most_compared_before_training = 50000;

constexpr std::array spoils_training = {HealthKind::two_labels, HealthKind::in_both_splits,
                                        HealthKind::similar_two_labels, HealthKind::similar_in_both_splits,
                                        HealthKind::label_typo};

HealthReport report_of(const PhotoSet& set, const HealthOptions& options) {
  std::vector<HealthItem> items;
  std::vector<const ImageFacts*> facts;
  for (const Photo& photo : set.photos) {
    items.push_back({photo.path, photo.label});
    facts.push_back(photo.facts.get());
  }
  for (const std::int64_t i : set.splits.train) items[i].side = SplitSide::train;
  for (const std::int64_t i : set.splits.valid) items[i].side = SplitSide::valid;
  for (const Excluded& excluded : set.excluded) {
    const bool valid = excluded.code == "no_training_photo";
    items.push_back({excluded.photo.path, excluded.photo.label, valid ? SplitSide::valid : SplitSide::none});
    facts.push_back(excluded.photo.facts.get());
  }
  return check_images(std::move(items), facts, options);
}

HealthOptions options_of(const DataFlags& flags, const CommonOptions& common,
                         const std::shared_ptr<Listener>& listener) {
  return {.threads = common.threads, .exif_orientation = !flags.no_exif, .listener = listener};
}

}  // namespace

HealthReport health_of(const PhotoSet& set, const DataFlags& flags, const CommonOptions& common,
                       const std::shared_ptr<Listener>& listener) {
  return report_of(set, options_of(flags, common, listener));
}

std::string name_below(const fs::path& root, const HealthItem& item) {
  return item.path.lexically_relative(root).generic_string();
}

std::string in_a_line(const HealthCase& c, const HealthReport& report, const fs::path& root) {
  std::string line;
  for (std::size_t i = 0; i < std::min(c.items.size(), most_examples); ++i)
    line += (i == 0 ? "" : " = ") + safe(name_below(root, report.items[c.items[i]]));
  if (c.items.size() > most_examples) line += fmt::format(" and {} more", c.items.size() - most_examples);
  for (const std::string& label : c.labels)
    line += fmt::format("{}'{}'", line.empty() ? "" : ", ", safe(label));
  // That the copies are equal is what the finding says.
  if (!c.detail.empty() && c.items.size() < 2) line += ": " + safe(c.detail);
  return line;
}

std::string doctor_command(const DataFlags& flags) {
  std::string command = "kindling doctor " + shell_word(flags.data);
  if (flags.label != "parent") command += " --label " + shell_word(flags.label);
  if (flags.valid_pct) command += fmt::format(" --valid-pct {:g}", *flags.valid_pct);
  return command;
}

void tell_health(const PhotoSet& set, const DataFlags& flags, const CommonOptions& common,
                 const std::shared_ptr<Listener>& listener) {
  HealthOptions options = options_of(flags, common, listener);
  options.near_duplicates = set.photos.size() <= most_compared_before_training;
  const HealthReport report = report_of(set, options);
  std::string text;
  Json told = Json::array();
  for (const HealthFinding& finding : report.findings) {
    if (std::ranges::find(spoils_training, finding.kind) == spoils_training.end()) continue;
    text += fmt::format("\n  {}: {}{}", finding.what(), in_a_line(finding.cases.front(), report, set.root),
                        finding.cases.size() > 1 ? " …" : "");
    told.push_back({{"kind", name_of(finding.kind)}, {"count", finding.cases.size()}});
  }
  if (text.empty()) return;
  listener->message(Level::warning, fmt::format("the data may spoil what is learnt:{}\n  look at them: {}",
                                                text, doctor_command(flags)));
  listener->event({{"event", "health"}, {"findings", std::move(told)}});
}

}  // namespace kindling::cli
