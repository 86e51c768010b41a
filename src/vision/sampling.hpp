#pragma once
/// Batches of pictures and masks sampled where maps point: torch's `affine_grid` and `grid_sample` in one pass, without
/// a grid in memory.

#include "vision/homography.hpp"

#include <kindling/vision/affine.hpp>

#include <vector>

#include <torch/types.h>

namespace kindling::detail {

struct Sampling {
  Size to;  ///< of the result
  Interpolation mode = Interpolation::bilinear;
  PadMode pad_mode = PadMode::reflection;
  bool align_corners = true;
};

/// `maps` (one an image) take places of the result to places of the source, both in [-1, 1]. `images` is
/// N x C x H x W. Where the result is less than half as large, the source is averaged first, as fastai does.
/// On a CPU, float32 and channels last are fast.
torch::Tensor sample_images(const torch::Tensor& images, const std::vector<Matrix3>& maps, const Sampling& sampling);
/// Nearest pixel of N x H x W of whole numbers.
torch::Tensor sample_masks(const torch::Tensor& masks, const std::vector<Matrix3>& maps, const Sampling& sampling);

/// The same by torch's operators: any device, dtype and mode. The two above are kept equal to it.
torch::Tensor sample_by_torch(const torch::Tensor& images, const std::vector<Matrix3>& maps, const Sampling& sampling);

/// By the kernels of this library: float32 of a CPU, channels last; maps that `are_regular`; not bicubic.
torch::Tensor sample_by_kernel(const torch::Tensor& images, const std::vector<Matrix3>& maps, const Sampling& sampling);
/// uint8 or int64 masks of a CPU.
torch::Tensor sample_masks_by_kernel(const torch::Tensor& masks, const std::vector<Matrix3>& maps,
                                     const Sampling& sampling);

/// Whether every place of the result lies before the eye.
bool are_regular(const std::vector<Matrix3>& maps);

}  // namespace kindling::detail
