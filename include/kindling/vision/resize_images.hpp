#pragma once
/// A folder of photos made smaller on disk, so that loading them costs less.

#include <kindling/vision/verify.hpp>

#include <vector>

namespace kindling {

struct ResizeImagesOptions {
  int max_size = 0;      ///< of the longer side; smaller pictures are not made larger
  fs::path dest = {};    ///< must be named; the folder itself means in place
  bool recurse = false;  ///< also in sub-folders, which are made in `dest`
  bool to_rgb = true;    ///< grey, alpha and CMYK pictures are written anew as RGB (fastai `n_channels=3`)
  int threads = 0;       ///< 0: one a core
  std::shared_ptr<Listener> listener = silent_listener();
};

struct ResizeReport {
  std::size_t resized = 0;  ///< written anew
  std::size_t copied = 0;   ///< fit already; in place: left as they are
  /// In place: too large, and of a format that kindling does not write (WebP, GIF, BMP, TIFF).
  Paths kept;
  std::vector<BrokenImage> unreadable;  ///< left out; in place: left as they are
};

/// Writes the picture files of `path` into `dest`: those with a side longer than `max_size` scaled to it, upright, as
/// JPEG (quality 90) or PNG; the others as they are. A picture of another format that is written anew gets a second
/// ending, e.g. `a.webp.jpg`. A file of the same name in `dest` is replaced. Throws `usage` without `dest` or
/// `max_size`, `not_found`, `io`, `no_space` or `interrupted`. (fastai `resize_images`, which does not turn photos
/// upright.)
ResizeReport resize_images(const fs::path& path, const ResizeImagesOptions& options);

}  // namespace kindling
