#pragma once
/// Changes of light as one linear map of the logits, and hue in HSV.

#include <array>
#include <vector>

#include <torch/types.h>

namespace kindling::detail {

/// What a list of changes does to an image's logits: each channel becomes a mix of all, and a shift.
struct LogitMap {
  std::array<double, 9> mix = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  std::array<double, 3> shift = {};
  bool mixes = false;  ///< else every channel is scaled and shifted alike
};

/// sigmoid(map(logit(images))), N x C x H x W of floats, a map an image; maps that mix need three channels.
torch::Tensor light(const torch::Tensor& images, const std::vector<LogitMap>& maps);
/// The same by torch's operators, on any device and dtype.
torch::Tensor light_by_torch(const torch::Tensor& images, const std::vector<LogitMap>& maps);

/// Hues moved by a part of the circle an image, N x 3 x H x W of floats.
torch::Tensor turn_hue(const torch::Tensor& images, const std::vector<double>& turns);
torch::Tensor turn_hue_by_torch(const torch::Tensor& images, const std::vector<double>& turns);

}  // namespace kindling::detail
