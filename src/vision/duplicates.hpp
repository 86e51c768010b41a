#pragma once
/// The same picture more than once: equal files, and files that only look the same.

#include <kindling/vision/image_facts.hpp>

#include <vector>

namespace kindling::detail {

/// Places (in the list of facts) of files that are one and the same, two or more; in order.
using Alike = std::vector<std::size_t>;

std::vector<Alike> equal_files(const std::vector<const ImageFacts*>& facts);

/// The same picture in files that differ: `pictures[i]` is the first one, or looks like the first one.
struct Lookalikes {
  Alike pictures;
  std::vector<bool> mirrored;  ///< left to right, beside the first one
};

/// Copies that were resized, saved again, made a little lighter or darker, or mirrored. Cut-outs, rotations
/// and other photos of the same scene are not meant. Pictures of at most 64 pixels a side and uniform ones
/// are left out: too little in them tells two apart. A pair that hashes and thumbnails suggest is decoded
/// again and compared at 64 x 64 pixels. Of equal files the first stands for all.
std::vector<Lookalikes> similar_pictures(const Paths& paths, const std::vector<const ImageFacts*>& facts,
                                         const VerifyOptions& options);

}  // namespace kindling::detail
