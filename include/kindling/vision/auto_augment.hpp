#pragma once
/// torchvision's `RandAugment` and `TrivialAugmentWide`, on single items in training: with the draws given, the pixels
/// are those that torchvision and Pillow make of a PIL picture.

#include <kindling/vision/cut.hpp>

#include <string_view>
#include <vector>

namespace kindling {

enum class AutoAugmentOp {
  identity, shear_x, shear_y, translate_x, translate_y, rotate, brightness, color, contrast, sharpness, posterize,
  solarize, auto_contrast, equalize
};

/// torchvision's names: "Identity", "ShearX" …
std::string_view name_of(AutoAugmentOp op);

/// An operation and how much of it; the sign turns it the other way.
struct AutoAugmentDraw {
  AutoAugmentOp op = AutoAugmentOp::identity;
  double magnitude = 0;
};

/// One operation, as torchvision's `_apply_op` with nearest-neighbour interpolation. Masks, points and boxes follow the
/// movements and are left alone by the rest. `fill` is the value of pixels from outside of the picture; a mask's are 0.
/// `picture` is the picture's size, which points and boxes do not know of themselves.
Image auto_augment(const Image& image, const AutoAugmentDraw& draw, Size picture = {}, int fill = 0);
Mask auto_augment(const Mask& mask, const AutoAugmentDraw& draw, Size picture = {}, int fill = 0);
Points auto_augment(const Points& points, const AutoAugmentDraw& draw, Size picture, int fill = 0);
BBoxes auto_augment(const BBoxes& boxes, const AutoAugmentDraw& draw, Size picture, int fill = 0);

struct RandAugmentOptions {
  int num_ops = 2;
  int magnitude = 9;  ///< which of the magnitudes, from 0
  int num_magnitude_bins = 31;
  int fill = 0;  ///< 0 to 255
};

/// `num_ops` operations one after another, each of the fourteen equally likely, all of one strength.
class RandAugment {
 public:
  static constexpr const char* name = "RandAugment";
  static constexpr int order = 3;
  static constexpr Split only_on = Split::train;
  explicit RandAugment(RandAugmentOptions options = {});

  template <MovesWithPicture Kind>
  Kind encodes(const Kind& member, const ItemContext& context) const {
    const Size picture = picture_size(member, context);
    return apply(member, draw(picture, context), picture);
  }
  std::vector<AutoAugmentDraw> draw(Size picture, const ItemContext& context) const;
  template <MovesWithPicture Kind>
  Kind apply(Kind member, const std::vector<AutoAugmentDraw>& draws, Size picture = {}) const {
    for (const AutoAugmentDraw& draw : draws) member = auto_augment(member, draw, picture, options_.fill);
    return member;
  }
  /// The magnitudes of an operation on pictures of that size; empty where it has none.
  std::vector<double> magnitudes(AutoAugmentOp op, Size picture) const;
  Json to_json() const;
  static RandAugment from_json(const Json& json);

 private:
  RandAugmentOptions options_;
};

struct TrivialAugmentWideOptions {
  int num_magnitude_bins = 31;
  int fill = 0;  ///< 0 to 255
};

/// One operation of any strength, from a wider range.
class TrivialAugmentWide {
 public:
  static constexpr const char* name = "TrivialAugmentWide";
  static constexpr int order = 3;
  static constexpr Split only_on = Split::train;
  explicit TrivialAugmentWide(TrivialAugmentWideOptions options = {});

  template <MovesWithPicture Kind>
  Kind encodes(const Kind& member, const ItemContext& context) const {
    return auto_augment(member, draw(context), picture_size(member, context), options_.fill);
  }
  AutoAugmentDraw draw(const ItemContext& context) const;
  std::vector<double> magnitudes(AutoAugmentOp op) const;
  Json to_json() const;
  static TrivialAugmentWide from_json(const Json& json);

 private:
  TrivialAugmentWideOptions options_;
};

}  // namespace kindling
