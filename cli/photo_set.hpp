#pragma once
/// DATA as the program reads it: the photos of a folder with their labels and their split, every file opened
/// once, and what cannot be used named.

#include <kindling/core/listener.hpp>
#include <kindling/data/splitters.hpp>
#include <kindling/vision/image_facts.hpp>

#include "cli/command.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kindling::cli {

/// The flags that say what DATA is.
struct DataFlags {
  std::string data;
  std::string label = "parent";
  std::optional<double> valid_pct;
  bool strict = false;
  bool no_exif = false;
  bool examine = false;  ///< keep what is seen of each photo when it is opened (not a flag)
};

void add_data_flags(CLI::App& app, DataFlags& flags);

struct Photo {
  fs::path path;
  std::string name;                      ///< below DATA, with forward slashes
  std::string label;                     ///< several with semicolons between
  std::vector<std::string> labels = {};  ///< one or several
  std::shared_ptr<const ImageFacts> facts = nullptr;  ///< where the flags asked for them
};

/// A file that is not used.
struct Excluded {
  std::string name;
  std::string code;  ///< of the error, or "no_label", "single", "no_training_photo"
  std::string reason;
  Photo photo;  ///< its label is empty where it has none
};

struct PhotoSet {
  fs::path root;
  std::vector<Photo> photos;  ///< sorted by path
  Splits splits;              ///< places in `photos`
  std::string split_rule;     ///< in words
  bool several = false;       ///< photos have any number of labels
  std::vector<Excluded> excluded;

  std::vector<std::string> classes() const;
  /// label: {training photos, validation photos}
  std::map<std::string, std::pair<std::size_t, std::size_t>> counts() const;
  /// SHA-256 of the sorted list of names, sizes and labels: equal for equal data.
  std::string fingerprint() const;
};

/// Picture files below a folder, sorted: by their extension, and others (`photo.jpg?v=1`) by their content.
/// Only below the sub-folders named, if any are.
Paths find_photos(const fs::path& folder, const std::vector<std::string>& folders = {});

/// What the photos are read for: looking goes on where there is nothing to learn, and says so; a check goes
/// on without a word, also where no photo can be used, for its report tells everything.
enum class Purpose { look, train, check };

/// Finds, labels, opens and splits. What must be left out is told to the listener as warnings and events;
/// with `strict` it is an error. Throws `not_found` for a missing folder, `bad_data` where nothing can be
/// learnt from what is there.
PhotoSet read_photo_set(const DataFlags& flags, const CommonOptions& common, Purpose purpose,
                        const std::shared_ptr<Listener>& listener);

/// "112 train, 28 valid (20 % at random, seed 42)"
std::string split_in_words(const PhotoSet& set);

}  // namespace kindling::cli
