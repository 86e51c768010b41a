#pragma once
/// The usual augmentation of photos in one line: `batch_tfms = aug_transforms()`.

#include <kindling/vision/affine.hpp>
#include <kindling/vision/crop_gpu.hpp>
#include <kindling/vision/lighting.hpp>

namespace kindling {

/// fastai's arguments.
struct AugTransformsOptions {
  double mult = 1;         ///< multiplies max_rotate, max_lighting and max_warp
  bool do_flip = true;
  bool flip_vert = false;  ///< top to bottom and quarter turns as well: for photos from above, or of cells
  double max_rotate = 10;  ///< degrees
  double min_zoom = 1;
  double max_zoom = 1.1;
  double max_lighting = 0.2;
  double max_warp = 0.2;
  double p_affine = 0.75;
  double p_lighting = 0.75;
  Transforms xtra_tfms = {};
  std::optional<Size> size = std::nullopt;  ///< of the result, on train and valid
  Interpolation mode = Interpolation::bilinear;
  PadMode pad_mode = PadMode::reflection;
  bool align_corners = true;
  bool batch = false;    ///< one draw for the whole batch
  double min_scale = 1;  ///< below 1: a RandomResizedCropGPU of `size` besides
};

/// Mirrors, warps, turns and zooms with one interpolation, brightness and contrast with one logit. As in fastai, `size`
/// has no effect where all four movements are off.
Transforms aug_transforms(const AugTransformsOptions& options = {});

/// All movements of the list as one transform, all lighting as another, then the rest. (fastai `setup_aug_tfms`.)
Transforms setup_aug_tfms(const Transforms& tfms);

}  // namespace kindling
