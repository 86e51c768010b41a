#include <kindling/core/error.hpp>
#include <kindling/data/normalize.hpp>

#include <torch/types.h>

namespace kindling {

namespace {

torch::Tensor per_channel(const std::vector<float>& values, const torch::Tensor& like) {
  if (like.dim() != 4 || like.size(1) != static_cast<std::int64_t>(values.size())) {
    throw Error(
        ErrorCode::usage, "Normalize has statistics for another number of channels",
        {{"channels of the statistics", values.size()}, {"picture", describe(Value(TensorImage{like}))}});
  }
  return torch::tensor(values).to(like.device(), like.scalar_type()).view({1, -1, 1, 1});
}

}  // namespace

TensorImage IntToFloatTensor::encodes(const TensorImage& image) const {
  return {image.tensor.to(torch::kFloat32).div_(255)};
}

TensorImage IntToFloatTensor::decodes(const TensorImage& image) const {
  return {image.tensor.clamp(0, 1).mul_(255).round_().to(torch::kUInt8)};
}

TensorMask IntToFloatTensor::encodes(const TensorMask& mask) const {
  return {mask.tensor.to(torch::kInt64)};
}

TensorMask IntToFloatTensor::decodes(const TensorMask& mask) const {
  return {mask.tensor.to(torch::kUInt8)};
}

Normalize::Normalize(ImageStats stats) : stats_(std::move(stats)) {
  if (stats_.mean.size() != stats_.std.size() || stats_.mean.empty()) {
    throw Error(ErrorCode::usage, "Normalize needs a mean and a std for each channel",
                {{"means", stats_.mean.size()}, {"stds", stats_.std.size()}});
  }
}

TensorImage Normalize::encodes(const TensorImage& image) const {
  return {
      (image.tensor - per_channel(stats_.mean, image.tensor)).div_(per_channel(stats_.std, image.tensor))};
}

TensorImage Normalize::decodes(const TensorImage& image) const {
  return {
      (image.tensor * per_channel(stats_.std, image.tensor)).add_(per_channel(stats_.mean, image.tensor))};
}

Json Normalize::to_json() const {
  return {{"mean", stats_.mean}, {"std", stats_.std}};
}

Normalize Normalize::from_json(const Json& json) {
  return Normalize({json.at("mean").get<std::vector<float>>(), json.at("std").get<std::vector<float>>()});
}

}  // namespace kindling
