#pragma once
/// The pictures that `kindling look` draws.

#include <kindling/data/picture.hpp>
#include <kindling/vision/codec.hpp>

#include "cli/photo_set.hpp"

#include <string>
#include <vector>

namespace kindling::cli {

struct SheetOptions {
  std::string split = "train";
  std::string only_class = "";  ///< empty: all
  int max_n = 9;
  std::uint64_t seed = 42;
  bool exif_orientation = true;
};

/// Photos drawn at random from the split, from each class in turn. Throws `bad_data` where there are none, `usage` for a
/// class that is not there.
Picture contact_sheet(const PhotoSet& set, const SheetOptions& options);

/// A row of photos for each class, `max_n` in a row.
Picture class_rows(const PhotoSet& set, const SheetOptions& options);

/// One photo as training sees it in one epoch after another: the photo itself, then `n` variants by `aug_transforms`.
Picture augmented(const fs::path& photo, int size, int n, std::uint64_t seed, bool exif_orientation);

/// One photo brought to a square in each way that there is, with the way as caption.
Picture resize_methods(const fs::path& photo, int size, std::uint64_t seed, bool exif_orientation);

}  // namespace kindling::cli
