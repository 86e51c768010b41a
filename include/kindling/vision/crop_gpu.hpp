#pragma once
/// fastai's `RandomResizedCropGPU`: one crop for a whole batch, on the device where the batch is.

#include <kindling/vision/affine.hpp>
#include <kindling/vision/crop.hpp>

namespace kindling {

struct RandomResizedCropGPUOptions {
  double min_scale = 0.08;                        ///< of the picture's area
  double max_scale = 1;                           ///< of the picture's area
  std::array<double, 2> ratio{3. / 4., 4. / 3.};  ///< width over height, least and most
  Interpolation mode = Interpolation::bilinear;
  double valid_scale = 1;  ///< on valid: the middle of these parts of the sides
};

/// Training: a part of random area, aspect and place becomes the whole. Valid: the middle.
class RandomResizedCropGPU {
 public:
  static constexpr const char* name = "RandomResizedCropGPU";
  static constexpr int order = 30;
  explicit RandomResizedCropGPU(int side, RandomResizedCropGPUOptions options = {})
      : RandomResizedCropGPU(Size{side, side}, options) {}
  explicit RandomResizedCropGPU(Size size, RandomResizedCropGPUOptions options = {});

  TensorImage encodes(const TensorImage& images, const ItemContext& context) const;
  TensorMask encodes(const TensorMask& masks, const ItemContext& context) const;
  /// The batch's pictures must be in the context.
  TensorPoint encodes(const TensorPoint& points, const ItemContext& context) const;
  TensorBBox encodes(const TensorBBox& boxes, const ItemContext& context) const;

  /// The part of pictures of that size.
  Box train_box(Size source, const CropDraws& draws) const;
  Box valid_box(Size source) const;
  TensorImage apply(const TensorImage& images, const Box& box) const;
  TensorMask apply(const TensorMask& masks, const Box& box) const;
  Json to_json() const;
  static RandomResizedCropGPU from_json(const Json& json);

 private:
  Box box(Size source, const ItemContext& context) const;
  Size size_;
  RandomResizedCropGPUOptions options_;
};

}  // namespace kindling
