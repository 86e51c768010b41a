#pragma once
/// Whether two pictures are copies of one another, by their pixels at a small size.

#include <kindling/core/files.hpp>
#include <kindling/data/image.hpp>

#include <array>
#include <vector>

namespace kindling::detail {

inline constexpr int fine_side = 64;

/// A picture brought to 64 x 64 pixels: brightness, and the two colour differences of JPEG.
struct FinePicture {
  using Plane = std::vector<float>;
  Plane luma, blue, red;
  bool colourless = false;
};

FinePicture fine_picture(const Image& rgb);

/// Reads a file, decoding it no larger than needed.
FinePicture open_fine(const fs::path& path, bool exif_orientation);

/// Whether `b` (mirrored left to right, if wanted) is `a` resized, saved again, or made lighter or darker.
/// Brightness must agree up to a factor and an offset, everywhere: a small thing that is in one of them alone
/// tells them apart. Colours must agree, unless one has none.
bool same_picture(const FinePicture& a, const FinePicture& b, bool mirror);

}  // namespace kindling::detail
