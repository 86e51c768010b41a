#include "vision/register_augmentation.hpp"

#include <kindling/vision/aug_transforms.hpp>
#include <kindling/vision/auto_augment.hpp>
#include <kindling/vision/crop.hpp>
#include <kindling/vision/erasing.hpp>
#include <kindling/vision/flip.hpp>
#include <kindling/vision/resize.hpp>

namespace kindling::detail {

namespace {

template <class... Classes>
void register_all() {
  (register_transform(Classes::name, [](const Json& j) { return Transform(Classes::from_json(j)); }), ...);
}

/// Classes that are their base under another name.
template <class Base, class... Classes>
void register_as() {
  (register_transform(Classes::name, [](const Json& j) { return Transform(Classes(Base::from_json(j))); }), ...);
}

}  // namespace

void register_augmentation() {
  register_all<RatioResize, RandomResizedCrop, RandomCrop, CropPad, FlipItem, DihedralItem, AffineCoordTfm,
               RandomResizedCropGPU, LightingTfm, Hue, RandomErasing, RandAugment, TrivialAugmentWide>();
  register_as<AffineCoordTfm, Flip, Dihedral, Rotate, Zoom, Warp>();
  register_as<LightingTfm, Brightness, Contrast, Saturation>();
}

}  // namespace kindling::detail
