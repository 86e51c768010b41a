#pragma once
/// Pillow's antialiased resize, bit for bit (Pillow 13; older versions differ in the last bit of some shapes,
/// for they always resize the widths first).

#include <kindling/data/image.hpp>

namespace kindling {

/// Pillow's filters under their names there.
enum class Resample { nearest, bilinear, bicubic, lanczos, box, hamming };

/// A rectangle in pixels: left and top included, right and bottom not.
struct Box {
  int left = 0, top = 0, right = 0, bottom = 0;
};

/// `image.resize(size, filter)` of Pillow. Throws `usage` for an empty size.
Image resize(const Image& image, Size size, Resample filter = Resample::bilinear);

/// `image.crop(box).resize(size, filter)` without a copy of the crop. The box lies inside the picture.
Image resize(const Image& image, const Box& box, Size size, Resample filter = Resample::bilinear);

}  // namespace kindling
