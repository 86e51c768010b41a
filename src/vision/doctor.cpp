#include <kindling/vision/doctor.hpp>

#include "vision/duplicates.hpp"
#include "vision/label_typos.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/format.h>

namespace kindling {

namespace {

/// Lightest less darkest, of a picture that is blank but for the noise of its coding.
constexpr int blank_contrast = 5;
constexpr int times_smaller = 4;

std::string in_words(Size size) {
  return fmt::format("{} x {} pixels", size.width, size.height);
}

/// The format that a name promises, if any.
std::optional<std::string_view> format_in_name(const fs::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  static const std::map<std::string, std::string_view, std::less<>> formats = {
      {".jpg", "JPEG"},  {".jpeg", "JPEG"}, {".jpe", "JPEG"}, {".jfif", "JPEG"}, {".png", "PNG"},
      {".webp", "WebP"}, {".gif", "GIF"},   {".bmp", "BMP"},  {".tif", "TIFF"},  {".tiff", "TIFF"}};
  if (const auto known = formats.find(extension); known != formats.end()) return known->second;
  return std::nullopt;
}

/// Goes through what was seen and writes down what is worth telling.
class Checkup {
 public:
  Checkup(HealthReport& report, const std::vector<const ImageFacts*>& facts, const HealthOptions& options)
      : report_(report), facts_(facts), options_(options) {}

  void run() {
    count_classes();
    for (std::size_t i = 0; i < facts_.size(); ++i) check_file(i);
    check_kinds_of_pictures();
    check_copies();
    check_labels();
    // In the order of the kinds: the worst first.
    for (auto& [kind, cases] : cases_) report_.findings.push_back({kind, std::move(cases)});
  }

 private:
  void add(HealthKind kind, std::vector<std::size_t> items, std::string detail,
           std::vector<std::string> labels = {}) {
    cases_[kind].push_back({std::move(items), std::move(labels), std::move(detail)});
  }

  const HealthItem& item(std::size_t i) const { return report_.items[i]; }

  void count_classes() {
    for (std::size_t i = 0; i < facts_.size(); ++i) {
      if (item(i).label.empty() || facts_[i]->error) continue;
      ClassCount& count = report_.classes[item(i).label];
      ++(item(i).side == SplitSide::train   ? count.train
         : item(i).side == SplitSide::valid ? count.valid
                                            : count.other);
    }
  }

  void check_file(std::size_t i) {
    const ImageFacts& facts = *facts_[i];
    if (facts.error) return add(kind_of_error(facts), {i}, facts.error->message());
    if (!facts.trouble.empty()) add(HealthKind::partly_damaged, {i}, facts.trouble);
    if (facts.contrast <= blank_contrast) add(HealthKind::blank, {i}, in_words(facts.info->size));
    const auto named = format_in_name(item(i).path);
    const auto content = name_of(*facts.format);
    if (named && *named != content)
      add(HealthKind::wrong_extension, {i}, fmt::format("{}, not {}", content, *named));
    if (facts.info->orientation > 1)
      add(HealthKind::rotated, {i}, fmt::format("EXIF orientation {}", facts.info->orientation));
    const std::int64_t pixels = std::int64_t{facts.info->size.width} * facts.info->size.height;
    if (pixels >= options_.large_pixels) add(HealthKind::large, {i}, in_words(facts.info->size));
  }

  static HealthKind kind_of_error(const ImageFacts& facts) {
    if (facts.error->code() == ErrorCode::unsupported) return HealthKind::unsupported;
    if (facts.error->code() != ErrorCode::bad_image) return HealthKind::unreadable;
    if (!facts.format) return HealthKind::not_a_picture;
    return facts.truncated ? HealthKind::truncated : HealthKind::damaged;
  }

  /// Tells pictures of a kind that most others are not of: where it is the rule it is how the data are.
  template <class Is>
  void add_exceptions(HealthKind kind, Is is) {
    std::vector<std::size_t> found;
    std::size_t readable = 0;
    for (std::size_t i = 0; i < facts_.size(); ++i) {
      if (facts_[i]->error) continue;
      ++readable;
      if (is(*facts_[i])) found.push_back(i);
    }
    if (2 * found.size() > readable) return;
    for (const std::size_t i : found) add(kind, {i}, in_words(facts_[i]->info->size));
  }

  void check_kinds_of_pictures() {
    const auto channels = [](const ImageFacts& f) { return f.info->channels; };
    const auto shorter = [](const ImageFacts& f) {
      return std::min(f.info->size.width, f.info->size.height);
    };
    const auto longer = [](const ImageFacts& f) { return std::max(f.info->size.width, f.info->size.height); };
    add_exceptions(HealthKind::greyscale, [&](const ImageFacts& f) { return channels(f) <= 2; });
    add_exceptions(HealthKind::transparent,
                   [&](const ImageFacts& f) { return channels(f) == 2 || (channels(f) == 4 && !f.inks); });
    add_exceptions(HealthKind::cmyk, [&](const ImageFacts& f) { return f.inks; });
    add_exceptions(HealthKind::sixteen_bit,
                   [&](const ImageFacts& f) { return f.bits == 16 && channels(f) > 2; });
    add_exceptions(HealthKind::narrow,
                   [&](const ImageFacts& f) { return longer(f) >= options_.narrow * shorter(f); });
    const int usual = median_of(shorter);
    add_exceptions(HealthKind::small, [&](const ImageFacts& f) {
      return shorter(f) < options_.small_side && shorter(f) * times_smaller <= usual;
    });
    for (std::size_t i = 0; i < facts_.size(); ++i) {
      const ImageFacts& f = *facts_[i];
      if (!f.error && f.bits == 16 && channels(f) <= 2)
        add(HealthKind::deep_grey, {i}, in_words(f.info->size));
    }
  }

  template <class Measure>
  int median_of(Measure measure) const {
    std::vector<int> values;
    for (const ImageFacts* facts : facts_) {
      if (!facts->error) values.push_back(measure(*facts));
    }
    if (values.empty()) return 0;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
  }

  /// Whether photos that are the same lie under two labels, and on both sides of the split.
  struct Spread {
    bool labels = false, sides = false;
  };
  Spread spread_of(const std::vector<std::size_t>& photos) const {
    std::set<std::string_view> labels;
    std::set<SplitSide> sides;
    for (const std::size_t i : photos) {
      if (!item(i).label.empty()) labels.insert(item(i).label);
      if (item(i).side != SplitSide::none) sides.insert(item(i).side);
    }
    return {labels.size() > 1, sides.size() > 1};
  }

  void check_copies() {
    const auto equal = detail::equal_files(facts_);
    for (const auto& photos : equal) {
      const Spread spread = spread_of(photos);
      if (spread.labels) add(HealthKind::two_labels, photos, "equal files");
      if (spread.sides) add(HealthKind::in_both_splits, photos, "equal files");
      if (!spread.labels && !spread.sides) add(HealthKind::duplicate, photos, "equal files");
    }
    if (options_.near_duplicates) check_similar();
  }

  void check_similar() {
    Paths paths;
    for (const HealthItem& i : report_.items) paths.push_back(i.path);
    const VerifyOptions how{.threads = options_.threads,
                            .image = {.exif_orientation = options_.exif_orientation},
                            .listener = options_.listener};
    for (const auto& found : detail::similar_pictures(paths, facts_, how)) {
      const bool mirrored = std::ranges::find(found.mirrored, true) != found.mirrored.end();
      const std::string detail = mirrored ? "one is mirrored" : "resized, or saved again";
      const Spread spread = spread_of(found.pictures);
      if (spread.labels) add(HealthKind::similar_two_labels, found.pictures, detail);
      if (spread.sides) add(HealthKind::similar_in_both_splits, found.pictures, detail);
      if (!spread.labels && !spread.sides) add(HealthKind::similar, found.pictures, detail);
    }
  }

  bool is_labelled() const {
    return std::ranges::any_of(report_.items, [](const HealthItem& i) { return !i.label.empty(); });
  }

  void check_labels() {
    if (!is_labelled()) return;
    for (std::size_t i = 0; i < facts_.size(); ++i) {
      if (item(i).label.empty() && !facts_[i]->error) add(HealthKind::no_label, {i}, "");
    }
    const auto& classes = report_.classes;
    if (classes.size() == 1)
      add(HealthKind::one_class, {}, fmt::format("{} photos", classes.begin()->second.photos()),
          {classes.begin()->first});
    std::map<std::string, std::size_t> counts;
    for (const auto& [label, count] : classes) counts[label] = count.photos();
    for (const detail::OddLabel& odd : detail::odd_labels(counts)) {
      const auto found = counts.find(odd.meant);
      add(HealthKind::label_typo, {},
          fmt::format("{} ({} against {} photos)", odd.reason, counts[odd.label],
                      found == counts.end() ? 0 : found->second),
          {odd.label, odd.meant});
    }
    check_class_sizes();
  }

  void check_class_sizes() {
    const auto& classes = report_.classes;
    std::size_t train = 0, valid = 0;
    for (const auto& [label, count] : classes) {
      train += count.train;
      valid += count.valid;
    }
    for (const auto& [label, count] : classes) {
      const std::size_t learnt = count.train + count.other;
      if (train > 0 && count.train == 0 && count.valid > 0)
        add(HealthKind::not_in_train, {}, fmt::format("{} in valid", count.valid), {label});
      else if (learnt < options_.few_photos)
        add(HealthKind::few_photos, {}, fmt::format("{} to learn from", learnt), {label});
      if (valid > 0 && count.valid == 0 && count.train > 0)
        add(HealthKind::not_in_valid, {}, fmt::format("{} in train", count.train), {label});
    }
    if (classes.size() < 2) return;
    const auto photos = [](const auto& entry) { return entry.second.photos(); };
    const auto [least, most] = std::ranges::minmax_element(classes, {}, photos);
    if (static_cast<double>(photos(*most)) >= options_.imbalance * static_cast<double>(photos(*least)))
      add(HealthKind::imbalance, {}, fmt::format("{} against {} photos", photos(*most), photos(*least)),
          {most->first, least->first});
  }

  HealthReport& report_;
  const std::vector<const ImageFacts*>& facts_;
  const HealthOptions& options_;
  std::map<HealthKind, std::vector<HealthCase>> cases_;
};

}  // namespace

std::vector<HealthItem> health_items(const Paths& files,
                                     const std::function<std::string(const fs::path&)>& label,
                                     const Splits& splits) {
  std::vector<HealthItem> items;
  for (const fs::path& file : files) items.push_back({file, label ? label(file) : ""});
  for (const std::int64_t i : splits.train) items.at(static_cast<std::size_t>(i)).side = SplitSide::train;
  for (const std::int64_t i : splits.valid) items.at(static_cast<std::size_t>(i)).side = SplitSide::valid;
  return items;
}

HealthReport check_images(std::vector<HealthItem> items, const HealthOptions& options) {
  Paths paths;
  for (const HealthItem& item : items) paths.push_back(item.path);
  const auto facts = examine_images(paths, {.threads = options.threads,
                                            .image = {.exif_orientation = options.exif_orientation},
                                            .listener = options.listener});
  std::vector<const ImageFacts*> pointers;
  for (const ImageFacts& f : facts) pointers.push_back(&f);
  return check_images(std::move(items), pointers, options);
}

HealthReport check_images(std::vector<HealthItem> items, const std::vector<const ImageFacts*>& facts,
                          const HealthOptions& options) {
  if (items.size() != facts.size()) {
    throw Error(ErrorCode::usage, "each item needs the facts of its file",
                {{"items", items.size()}, {"facts", facts.size()}});
  }
  HealthReport report{.items = std::move(items)};
  Checkup(report, facts, options).run();
  return report;
}

}  // namespace kindling
