#include <kindling/core/error.hpp>
#include <kindling/vision/crop_gpu.hpp>

#include "vision/affine_json.hpp"
#include "vision/batch_draws.hpp"
#include "vision/crop_search.hpp"
#include "vision/sampling.hpp"
#include "vision/settings_json.hpp"

#include <algorithm>

#include <torch/types.h>

namespace kindling {

namespace {

Size size_of(const torch::Tensor& batch) {
  return {static_cast<int>(batch.size(-1)), static_cast<int>(batch.size(-2))};
}

torch::Tensor cut(const torch::Tensor& batch, const Box& box) {
  return batch.narrow(-2, box.top, box.bottom - box.top).narrow(-1, box.left, box.right - box.left);
}

Size require_picture(const ItemContext& context) {
  if (context.image_size.width > 0) return context.image_size;
  throw Error(ErrorCode::usage, "a crop of points and boxes needs the pictures of the batch", {},
              "give the items an ImageBlock as well");
}

/// [-1, 1] of the whole picture to [-1, 1] of the box; pairs of x and y.
torch::Tensor moved(const torch::Tensor& places, Size picture, const Box& box) {
  const double width = box.right - box.left, height = box.bottom - box.top;
  const auto pair = [&](double x, double y) {
    auto both = torch::tensor({static_cast<float>(x), static_cast<float>(y)}).to(places.options());
    return both.repeat({places.size(-1) / 2});
  };
  return (places + 1) * pair(picture.width / width, picture.height / height) -
         pair(2 * box.left / width + 1, 2 * box.top / height + 1);
}

}  // namespace

RandomResizedCropGPU::RandomResizedCropGPU(Size size, RandomResizedCropGPUOptions options)
    : size_(size), options_(options) {
  detail::require_size(name, size);
  detail::require_range(name, {options.min_scale, options.max_scale, options.ratio});
  detail::require_range(name, "valid_scale", options.valid_scale, 1e-3, 1);
}

Box RandomResizedCropGPU::train_box(Size source, const CropDraws& draws) const {
  Size crop = detail::draw_crop_size(source, {options_.min_scale, options_.max_scale, options_.ratio}, draws);
  int left = 0, top = 0;
  if (crop.width > 0) {
    top = static_cast<int>(draws.integer(0, source.height - crop.height));
    left = static_cast<int>(draws.integer(0, source.width - crop.width));
  } else {
    crop = detail::widest_crop(source, options_.ratio);
    left = (source.width - crop.width) / 2;
    top = (source.height - crop.height) / 2;
  }
  return {left, top, left + crop.width, top + crop.height};
}

Box RandomResizedCropGPU::valid_box(Size source) const {
  const Size widest = detail::widest_crop(source, options_.ratio);
  const auto scaled = [&](int side) { return std::max(1, static_cast<int>(side * options_.valid_scale)); };
  const Size crop{scaled(widest.width), scaled(widest.height)};
  const int left = (source.width - crop.width) / 2, top = (source.height - crop.height) / 2;
  return {left, top, left + crop.width, top + crop.height};
}

Box RandomResizedCropGPU::box(Size source, const ItemContext& context) const {
  if (context.split == Split::valid) return valid_box(source);
  CounterRng rng = detail::batch_rng(context, 0, -1);
  return train_box(source, detail::draws_from(rng));
}

TensorImage RandomResizedCropGPU::apply(const TensorImage& images, const Box& box) const {
  const std::vector<detail::Matrix3> still(static_cast<std::size_t>(images.tensor.size(0)), detail::identity3);
  return {detail::sample_images(cut(images.tensor, box), still, {.to = size_, .mode = options_.mode})};
}

TensorMask RandomResizedCropGPU::apply(const TensorMask& masks, const Box& box) const {
  const std::vector<detail::Matrix3> still(static_cast<std::size_t>(masks.tensor.size(0)), detail::identity3);
  return {detail::sample_masks(cut(masks.tensor, box), still, {.to = size_})};
}

TensorImage RandomResizedCropGPU::encodes(const TensorImage& images, const ItemContext& context) const {
  return apply(images, box(size_of(images.tensor), context));
}

TensorMask RandomResizedCropGPU::encodes(const TensorMask& masks, const ItemContext& context) const {
  return apply(masks, box(size_of(masks.tensor), context));
}

TensorPoint RandomResizedCropGPU::encodes(const TensorPoint& points, const ItemContext& context) const {
  const Size picture = require_picture(context);
  return {moved(points.tensor, picture, box(picture, context))};
}

TensorBBox RandomResizedCropGPU::encodes(const TensorBBox& boxes, const ItemContext& context) const {
  const auto& x = boxes.tensor;
  if (x.size(-2) == 0) return boxes;
  const Size picture = require_picture(context);
  // Rows of zeros fill up shorter lists and stay zeros.
  return {torch::where((x == 0).all(-1, true), x, moved(x, picture, box(picture, context)))};
}

Json RandomResizedCropGPU::to_json() const {
  return {{"size", detail::size_to_json(size_)},  {"min_scale", options_.min_scale},
          {"max_scale", options_.max_scale},      {"ratio", options_.ratio},
          {"valid_scale", options_.valid_scale},  {"mode", detail::interpolation_name(options_.mode)}};
}

RandomResizedCropGPU RandomResizedCropGPU::from_json(const Json& json) {
  return RandomResizedCropGPU(detail::size_from(json.at("size")),
                              {.min_scale = json.at("min_scale").get<double>(),
                               .max_scale = json.at("max_scale").get<double>(),
                               .ratio = json.at("ratio").get<std::array<double, 2>>(),
                               .mode = detail::interpolation_from(json.at("mode")),
                               .valid_scale = json.at("valid_scale").get<double>()});
}

}  // namespace kindling
