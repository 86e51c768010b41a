#pragma once
/// The flags that say what learns from photos, and the loaders and settings that they come to.

#include <kindling/vision.hpp>

#include "cli/photo_set.hpp"

#include <memory>
#include <optional>
#include <string>

namespace kindling::cli {

struct LearnerFlags {
  std::string arch = "efficientnet_lite0";
  std::optional<int> bs;
  std::optional<int> size;
  std::string resize = "crop";
  bool no_pretrained = false;
  std::string weights;
  bool exact_decoding = false;
};

void add_learner_flags(CLI::App& app, LearnerFlags& flags);

/// What the flags come to.
struct LearnerSettings {
  int size = 0;
  ResizeMethod resize = ResizeMethod::crop;
  ImageBlockOptions image;
  std::string weights;  ///< registry entry; empty: none
};

/// Throws `usage` for a model or weights that are not known, and for flags that exclude each other. Weights
/// that must be fetched are fetched here, before anything else, so that nothing fails after minutes of checking
/// photos.
LearnerSettings learner_settings(const LearnerFlags& flags, bool exif, const std::shared_ptr<Listener>& listener);

/// The batch that --bs names; left out 64, or fewer where the training photos would not fill a few of those.
int choose_bs(const LearnerFlags& flags, const PhotoSet& set, Listener& listener);

/// With several labels a photo where the set has such.
DataLoaders photo_loaders(const PhotoSet& set, const LearnerSettings& settings, int bs, const CommonOptions& common,
                          Cache cache = Cache::automatic);

}  // namespace kindling::cli
