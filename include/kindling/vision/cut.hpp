#pragma once
/// How item transforms move what belongs to a picture: one rectangle of it becomes a picture of its own. The photo,
/// its mask, its points and its boxes are all moved by the same `Cut`.

#include <kindling/data/transform.hpp>
#include <kindling/vision/resample.hpp>

#include <concepts>
#include <string_view>

namespace kindling {

enum class PadMode { zeros, border, reflection };

std::string_view name_of(PadMode mode);
/// "zeros", "border", "reflection". Throws `usage` for others.
PadMode pad_mode_from(std::string_view name);

/// Cuts `size` pixels from `left`, `top`, which may lie outside: what is missing there is padded. (fastai
/// `crop_pad`.)
Image crop_pad(const Image& image, Size size, int left, int top, PadMode mode);

/// A rectangle and the size that it is brought to.
struct Cut {
  int left = 0, top = 0;  ///< may lie outside of the picture
  Size size;              ///< of the rectangle, which may reach outside
  Size to;                ///< of what is made of it
  PadMode pad_mode = PadMode::zeros;
  Resample resample = Resample::bilinear;
  bool operator==(const Cut&) const = default;

  Image apply(const Image& image) const;
  /// Nearest neighbour: no class is made that was not there.
  Mask apply(const Mask& mask) const;
  /// Points and boxes are moved exactly, and may come to lie outside. Positions are continuous: pixel (x, y) covers
  /// x to x + 1 and y to y + 1.
  Points apply(const Points& points) const;
  BBoxes apply(const BBoxes& boxes) const;
};

/// A member of an item that moves with the picture.
template <class T>
concept MovesWithPicture =
    std::same_as<T, Image> || std::same_as<T, Mask> || std::same_as<T, Points> || std::same_as<T, BBoxes>;

/// The size of the picture that a member belongs to. Throws `bad_data` for a mask of another size than its picture,
/// and for points and boxes without a picture.
Size picture_size(const Image& image, const ItemContext& context);
Size picture_size(const Mask& mask, const ItemContext& context);
Size picture_size(const Points& points, const ItemContext& context);
Size picture_size(const BBoxes& boxes, const ItemContext& context);

}  // namespace kindling
