#pragma once
/// A data set looked over before anything is learnt from it: files that cannot be read, photos that are in
/// train and in valid alike, labels written wrongly, and the like.
///
///   auto files = get_image_files("photos");
///   auto splits = RandomSplitter(0.2, 42)(to_items(files));
///   HealthReport report = check_images(health_items(files, parent_label, splits));
///   std::puts(report.verdict().c_str());                        // "nothing wrong found in 1,600 photos"
///   write_file("health.html", health_page(report, {.root = "photos"}));
///
/// Nothing is changed on disk.

#include <kindling/data/splitters.hpp>
#include <kindling/vision/image_facts.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kindling {

/// What to do about a finding: it spoils training or its figures; look at it; it is dealt with already.
enum class Severity { error, warning, note };
std::string_view name_of(Severity severity);

enum class HealthKind {
  // Errors.
  unreadable,      ///< the system does not give the file, or it is beyond a limit
  not_a_picture,   ///< a web page, text … under a picture's name
  unsupported,     ///< a picture of a format that is not read
  truncated,       ///< the end of the file is missing
  damaged,         ///< it cannot be decoded
  two_labels,      ///< equal files under different labels
  in_both_splits,  ///< equal files in train and in valid
  not_in_train,    ///< a class with validation photos alone
  one_class,       ///< there is nothing to tell apart
  // Warnings.
  partly_damaged,          ///< decoded, but some pixels are made up
  similar_two_labels,      ///< the same picture in differing files, under different labels
  similar_in_both_splits,  ///< the same in train and in valid
  duplicate,               ///< equal files of one label on one side
  no_label,                ///< nothing says what the photo shows
  label_typo,              ///< a label that looks like another one written wrongly
  few_photos,              ///< a class of very few photos
  imbalance,               ///< a class many times as large as another
  not_in_valid,            ///< a class that validation does not see
  blank,                   ///< one colour all over
  narrow,                  ///< very long and narrow
  small,                   ///< far smaller than the others
  deep_grey,               ///< grey of 16 bits, cut to 8
  // Notes.
  similar,          ///< the same picture in differing files of one label on one side
  wrong_extension,  ///< a picture of another format than its name says
  rotated,          ///< stored lying or mirrored, turned as EXIF says
  large,            ///< slow to load
  greyscale,
  transparent,
  cmyk,
  sixteen_bit,  ///< among others that are not
};

/// Stable name in JSON, e.g. "in_both_splits".
std::string_view name_of(HealthKind kind);
Severity severity_of(HealthKind kind);

/// The side of the split that a photo is on, if any.
enum class SplitSide { none, train, valid };

struct HealthItem {
  fs::path path;
  std::string label = "";  ///< empty: none
  SplitSide side = SplitSide::none;
};

/// Files with their labels and splits; without labels or splits these are not checked.
std::vector<HealthItem> health_items(const Paths& files,
                                     const std::function<std::string(const fs::path&)>& label = {},
                                     const Splits& splits = {});

/// One instance of a finding: a file, copies that belong together, or labels.
struct HealthCase {
  std::vector<std::size_t> items = {};   ///< places in the report's items
  std::vector<std::string> labels = {};  ///< of findings about classes
  std::string detail = "";               ///< "the file is no picture: it is text", "40 x 30 pixels" …
};

struct HealthFinding {
  HealthKind kind;
  std::vector<HealthCase> cases;
  Severity severity() const { return severity_of(kind); }
  /// "6 files are no pictures"
  std::string what() const;
  /// What to do about it, in a sentence.
  std::string advice() const;
  /// How many files it is about.
  std::size_t files() const;
};

struct ClassCount {
  std::size_t train = 0, valid = 0;
  std::size_t other = 0;  ///< on no side
  std::size_t photos() const { return train + valid + other; }
};

struct HealthReport {
  std::vector<HealthItem> items;
  std::vector<HealthFinding> findings;        ///< errors first, then warnings, then notes; at most one a kind
  std::map<std::string, ClassCount> classes;  ///< of photos that can be read

  std::size_t count(Severity severity) const;
  const HealthFinding* find(HealthKind kind) const;  ///< null where there is none
  /// "nothing wrong found in 1,600 photos", or "1 error, 2 warnings: 6 files are no pictures; …". Notes do
  /// not count.
  std::string verdict() const;
  /// One object; files are named below `root`. Notes stand apart from findings.
  Json to_json(const fs::path& root) const;
};

struct HealthOptions {
  int threads = 0;  ///< 0: one a core
  bool exif_orientation = true;
  bool near_duplicates = true;  ///< look for copies that are not equal byte by byte
  std::size_t few_photos = 5;   ///< a class of fewer training photos is told
  double imbalance = 10;        ///< so many times as large a class is told
  double narrow = 4;            ///< so many times as long as wide is told
  int small_side = 64;          ///< a shorter side below it is told, if the others' is four times as long
  std::int64_t large_pixels = 50'000'000;
  std::shared_ptr<Listener> listener = silent_listener();
};

/// Looks at every file and at the labels and splits. Throws `interrupted` when that was requested.
HealthReport check_images(std::vector<HealthItem> items, const HealthOptions& options = {});

/// The same with what `examine_images` saw of the items (in their order; none is null) before.
HealthReport check_images(std::vector<HealthItem> items, const std::vector<const ImageFacts*>& facts,
                          const HealthOptions& options = {});

struct HealthPageOptions {
  fs::path root = "";             ///< files are named below it
  std::string title = "";         ///< the root's name unless given
  std::size_t max_pictures = 24;  ///< thumbnails a finding
  bool exif_orientation = true;
  int threads = 0;
};

/// The report as one HTML page with thumbnails in it; no script, and nothing is fetched.
std::string health_page(const HealthReport& report, const HealthPageOptions& options = {});

}  // namespace kindling
