#include "cli/photo_set.hpp"

#include <kindling/core/error.hpp>
#include <kindling/data/items.hpp>
#include <kindling/vision/verify.hpp>

#include "cli/label_rule.hpp"
#include "cli/output.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <set>

#include <fmt/format.h>

namespace kindling::cli {

namespace {

/// Files named one by one on a terminal; the others are in the run's run.json and in the JSON events.
constexpr std::size_t most_named = 25;
constexpr double default_valid_pct = 0.2;

bool has_picture_bytes(const fs::path& path) {
  std::array<char, 32> head{};
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), head.size());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(head.data());
  return image_format({bytes, static_cast<std::size_t>(file.gcount())}).has_value();
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

/// {"train", "valid"} (or "val") where DATA has them.
std::vector<std::string> split_folders(const fs::path& root) {
  for (const char* valid : {"valid", "val"}) {
    if (is_folder(root / "train") && is_folder(root / valid)) return {"train", valid};
  }
  return {};
}

/// Collects what is left out.
class Sieve {
 public:
  Sieve(PhotoSet& set, Listener& listener) : set_(set), listener_(listener) {}

  void leave_out(const Photo& photo, std::string_view code, const std::string& reason) {
    set_.excluded.push_back({photo.name, std::string(code), reason, photo});
    listener_.event({{"event", "excluded"}, {"file", photo.name}, {"code", code}, {"reason", reason}});
  }

  template <class Keep>
  void keep_photos(Keep keep) {
    std::erase_if(set_.photos, [&](const Photo& photo) { return !keep(photo); });
  }

 private:
  PhotoSet& set_;
  Listener& listener_;
};

std::vector<PhotoFile> find_files(const fs::path& root, const std::vector<std::string>& folders) {
  std::vector<PhotoFile> files;
  for (const fs::path& path : find_photos(root, folders)) {
    const fs::path name = path.lexically_relative(root);
    const fs::path inner = folders.empty() ? name : name.lexically_relative(*name.begin());
    files.push_back({path, name, inner});
  }
  if (!files.empty()) return files;
  const std::string where = folders.empty() ? "" : fmt::format(", below {}/ and {}/", folders[0], folders[1]);
  throw Error(ErrorCode::bad_data, "there are no photos in this folder" + where, {{"path", root}},
              "give a folder that holds photos (JPEG, PNG, WebP, GIF, BMP or TIFF)");
}

void check_label(const std::string& label, const PhotoFile& file) {
  try {
    (void)Json(label).dump();
  } catch (const Json::exception&) {
    throw Error(ErrorCode::bad_data, "a label is not UTF-8 text", {{"file", file.name}, {"label", label}},
                "rename the folder or file that the label comes from");
  }
}

void label_photos(PhotoSet& set, const std::vector<PhotoFile>& files, const DataFlags& flags, Purpose purpose,
                  Sieve& sieve) {
  const LabelRule rule = label_rule(flags.label);
  set.several = static_cast<bool>(rule.labels);
  std::vector<const PhotoFile*> without;
  for (const PhotoFile& file : files) {
    const auto label = rule.label(file);
    if (!label) {
      without.push_back(&file);
      continue;
    }
    check_label(*label, file);
    set.photos.push_back({file.path, file.name.generic_string(), *label, {*label}});
    if (rule.labels) set.photos.back().labels = *rule.labels(file);
  }
  if (set.photos.empty() && flags.label == "parent" && purpose != Purpose::check) {
    throw Error(ErrorCode::bad_data, "the photos lie in no class folders, so nothing says what they show",
                {{"path", set.root}, {"photos", files.size()}},
                "put the photos of each class into a folder of its own, or tell the label from the name: "
                "--label name-case or --label 'regex:^(.+)_[0-9]+'");
  }
  for (const PhotoFile* file : without)
    sieve.leave_out({file->path, file->name.generic_string(), ""}, "no_label", rule.no_label);
}

/// Why photos cannot be decoded, by their path.
std::map<fs::path, Error> broken_photos(const PhotoSet& set, const VerifyOptions& options) {
  Paths paths;
  for (const Photo& photo : set.photos) paths.push_back(photo.path);
  std::map<fs::path, Error> broken;
  for (const BrokenImage& image : verify_images(paths, options)) broken.emplace(image.path, image.error);
  return broken;
}

/// The same, with what was seen of every photo kept in the set.
std::map<fs::path, Error> examined_photos(PhotoSet& set, const VerifyOptions& options) {
  std::vector<Photo*> photos;
  for (Photo& photo : set.photos) photos.push_back(&photo);
  for (Excluded& excluded : set.excluded) photos.push_back(&excluded.photo);
  Paths paths;
  for (const Photo* photo : photos) paths.push_back(photo->path);
  auto facts = examine_images(paths, options);
  std::map<fs::path, Error> broken;
  for (std::size_t i = 0; i < photos.size(); ++i) {
    if (facts[i].error) broken.emplace(paths[i], *facts[i].error);
    photos[i]->facts = std::make_shared<const ImageFacts>(std::move(facts[i]));
  }
  return broken;
}

void leave_out_broken(PhotoSet& set, const DataFlags& flags, const CommonOptions& common, Sieve& sieve,
                      const std::shared_ptr<Listener>& listener) {
  const VerifyOptions options{
      .threads = common.threads, .image = {.exif_orientation = !flags.no_exif}, .listener = listener};
  const auto broken = flags.examine ? examined_photos(set, options) : broken_photos(set, options);
  for (const Photo& photo : set.photos) {
    if (const auto found = broken.find(photo.path); found != broken.end())
      sieve.leave_out(photo, name_of(found->second.code()), found->second.message());
  }
  sieve.keep_photos([&](const Photo& photo) { return broken.count(photo.path) == 0; });
}

void leave_out_single(PhotoSet& set, Sieve& sieve) {
  if (set.several) return;
  std::map<std::string, std::size_t> counts;
  for (const Photo& photo : set.photos) ++counts[photo.label];
  for (const Photo& photo : set.photos) {
    if (counts[photo.label] == 1)
      sieve.leave_out(photo, "single", fmt::format("the only photo of the class '{}'", photo.label));
  }
  sieve.keep_photos([&](const Photo& photo) { return counts[photo.label] > 1; });
}

void check_classes(const PhotoSet& set, Purpose purpose, Listener& listener) {
  const auto classes = set.classes();
  // One label that a photo has or has not is something to tell.
  if (classes.size() > 1 || (set.several && classes.size() == 1)) return;
  if (classes.empty()) {
    throw Error(ErrorCode::bad_data, "no photo can be used",
                {{"path", set.root}, {"files left out", set.excluded.size()}},
                "the warning above names each file and what is wrong with it");
  }
  const std::string message = "there is only one class, so there is nothing to tell apart";
  const std::string hint =
      "give photos of at least two classes, or tell the labels in another way with --label";
  if (purpose == Purpose::look) return listener.message(Level::warning, message + "; " + hint);
  throw Error(ErrorCode::bad_data, message,
              {{"path", set.root}, {"class", classes.front()}, {"photos", set.photos.size()}}, hint);
}

Items items_of(const PhotoSet& set) {
  Items items;
  for (const Photo& photo : set.photos) items.emplace_back(photo.path);
  return items;
}

/// A class that chance put into validation alone could not be learnt: one photo of it goes over.
void give_every_class_a_training_photo(PhotoSet& set, Listener& listener) {
  std::set<std::string> trained;
  const auto insert_new = [&trained](const Photo& photo) {
    const std::size_t before = trained.size();
    trained.insert(photo.labels.begin(), photo.labels.end());
    return trained.size() > before;
  };
  for (std::int64_t i : set.splits.train) insert_new(set.photos[i]);
  std::erase_if(set.splits.valid, [&](std::int64_t i) {
    if (!insert_new(set.photos[i])) return false;
    set.splits.train.push_back(i);
    listener.message(Level::info, fmt::format("{} goes over to the training photos, where its class had none",
                                              safe(set.photos[i].name)));
    return true;
  });
}

void split_at_random(PhotoSet& set, const DataFlags& flags, const CommonOptions& common, Listener& listener) {
  const double part = flags.valid_pct.value_or(default_valid_pct);
  set.splits = RandomSplitter(part, common.seed)(items_of(set));
  set.split_rule = fmt::format("{:g} % at random, seed {}", 100 * part, common.seed);
  give_every_class_a_training_photo(set, listener);
}

void split_by_folders(PhotoSet& set, const std::vector<std::string>& folders, Sieve& sieve) {
  const auto trains = [&](const Photo& photo) { return photo.name.starts_with(folders[0] + "/"); };
  std::set<std::string> trained;
  for (const Photo& photo : set.photos) {
    if (trains(photo)) trained.insert(photo.labels.begin(), photo.labels.end());
  }
  const auto known = [&trained](const Photo& photo) {
    return std::ranges::all_of(photo.labels,
                               [&](const std::string& label) { return trained.count(label) != 0; });
  };
  for (const Photo& photo : set.photos) {
    if (!known(photo))
      sieve.leave_out(photo, "no_training_photo",
                      fmt::format("its class '{}' has no photo in {}/", photo.label, folders[0]));
  }
  sieve.keep_photos(known);
  for (std::size_t i = 0; i < set.photos.size(); ++i)
    (trains(set.photos[i]) ? set.splits.train : set.splits.valid).push_back(static_cast<std::int64_t>(i));
  set.split_rule = fmt::format("the folders {}/ and {}/", folders[0], folders[1]);
}

void check_split(const PhotoSet& set) {
  if (!set.splits.train.empty() && !set.splits.valid.empty()) return;
  throw Error(ErrorCode::bad_data,
              set.splits.valid.empty() ? "no photo is left to validate on" : "no photo is left to train on",
              {{"photos", set.photos.size()}, {"split", set.split_rule}},
              "use more photos, or another --valid-pct");
}

void tell_excluded(const PhotoSet& set, std::size_t found, bool strict, Listener& listener) {
  const std::size_t n = set.excluded.size();
  if (n == 0) return;
  if (strict) {
    Error error(ErrorCode::bad_data, fmt::format("{} of {} files cannot be used", n, found), {},
                "repair or remove them, or leave --strict out to train without them");
    for (std::size_t i = 0; i < std::min(n, most_named); ++i)
      error.with(Fact(set.excluded[i].name, set.excluded[i].reason));
    throw error;
  }
  std::string text = fmt::format("{} of {} files {} left out:", n, found, n == 1 ? "is" : "are");
  for (std::size_t i = 0; i < std::min(n, most_named); ++i)
    text += fmt::format("\n  {}: {}", safe(set.excluded[i].name), safe(set.excluded[i].reason));
  if (n > most_named) text += fmt::format("\n  and {} more; --json names all", n - most_named);
  listener.message(Level::warning, text);
}

}  // namespace

void add_data_flags(CLI::App& app, DataFlags& flags) {
  app.add_option("DATA", flags.data, "folder of photos, one sub-folder a class")->required();
  app.add_option("--label", flags.label,
                 "what a photo shows is said by: parent (its folder, the default); name-case or "
                 "name-case:CAT,DOG (first letter upper or lower); regex:PATTERN (first group, in the path "
                 "below DATA); csv:FILE (file name, label), csv:FILE:COLUMN, or csv:FILE:COLUMN:DELIMITER "
                 "for several "
                 "labels a photo")
      ->type_name("HOW");
  app.add_option("--valid-pct", flags.valid_pct,
                 "part of the photos, drawn at random, to validate on (0.2); without it folders train/ and "
                 "valid/ (or val/) in DATA split it where there are such")
      ->type_name("PART");
  app.add_flag("--strict", flags.strict, "stop when a file cannot be used, instead of leaving it out");
  app.add_flag("--no-exif", flags.no_exif, "do not turn photos as their EXIF orientation says (as fastai)");
}

Paths find_photos(const fs::path& folder, const std::vector<std::string>& folders) {
  Paths all = get_files(folder, {}, {.folders = folders});
  const Paths named = get_files(folder, image_extensions(), {.folders = folders});
  const std::set<fs::path> by_name(named.begin(), named.end());
  std::erase_if(all,
                [&](const fs::path& path) { return by_name.count(path) == 0 && !has_picture_bytes(path); });
  return all;
}

std::vector<std::string> PhotoSet::classes() const {
  std::set<std::string> names;
  for (const Photo& photo : photos) names.insert(photo.labels.begin(), photo.labels.end());
  return {names.begin(), names.end()};
}

std::map<std::string, std::pair<std::size_t, std::size_t>> PhotoSet::counts() const {
  std::map<std::string, std::pair<std::size_t, std::size_t>> counts;
  for (std::int64_t i : splits.train) {
    for (const std::string& label : photos[i].labels) ++counts[label].first;
  }
  for (std::int64_t i : splits.valid) {
    for (const std::string& label : photos[i].labels) ++counts[label].second;
  }
  return counts;
}

std::string PhotoSet::fingerprint() const {
  std::vector<std::string> lines;
  for (const Photo& photo : photos) {
    std::error_code ignored;
    lines.push_back(fmt::format("{}\t{}\t{}\n", photo.name, fs::file_size(photo.path, ignored), photo.label));
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line;
  return sha256_of({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

PhotoSet read_photo_set(const DataFlags& flags, const CommonOptions& common, Purpose purpose,
                        const std::shared_ptr<Listener>& listener) {
  PhotoSet set{.root = flags.data};
  Sieve sieve(set, *listener);
  const auto folders = is_folder(set.root) ? split_folders(set.root) : std::vector<std::string>();
  const auto files = find_files(set.root, folders);
  label_photos(set, files, flags, purpose, sieve);
  leave_out_broken(set, flags, common, sieve, listener);
  leave_out_single(set, sieve);
  if (!folders.empty() && !flags.valid_pct) split_by_folders(set, folders, sieve);
  if (purpose != Purpose::check) {
    tell_excluded(set, files.size(), flags.strict, *listener);
    check_classes(set, purpose, *listener);
  }
  if (folders.empty() || flags.valid_pct) split_at_random(set, flags, common, *listener);
  if (purpose == Purpose::train) check_split(set);
  return set;
}

std::string split_in_words(const PhotoSet& set) {
  return fmt::format("{} train, {} valid ({})", set.splits.train.size(), set.splits.valid.size(),
                     set.split_rule);
}

}  // namespace kindling::cli
