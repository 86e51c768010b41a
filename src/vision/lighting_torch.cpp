#include "vision/lighting_kernels.hpp"

#include <torch/types.h>

namespace kindling::detail {

namespace {

/// x kept off 0 and 1, where it would be infinite.
torch::Tensor kept_logit(const torch::Tensor& x) {
  return (1 / x.clamp(1e-7, 1 - 1e-7) - 1).log_().neg_();
}

/// One value an image, to be broadcast over N x C x H x W.
torch::Tensor column(const std::vector<float>& values, const torch::Tensor& like, at::IntArrayRef shape) {
  return torch::tensor(values).to(like.options()).view(shape);
}

torch::Tensor pick(const torch::Tensor& sixth, const std::vector<torch::Tensor>& choices) {
  auto result = choices[5];
  for (int k = 4; k >= 0; --k) result = torch::where(sixth == k, choices[static_cast<std::size_t>(k)], result);
  return result;
}

torch::Tensor hue_of(const torch::Tensor& r, const torch::Tensor& g, const torch::Tensor& b,
                     const torch::Tensor& most, const torch::Tensor& range) {
  auto divisor = torch::where(range == 0, torch::ones_like(range), range);
  auto rc = (most - r) / divisor, gc = (most - g) / divisor, bc = (most - b) / divisor;
  auto hue = torch::where(most == r, bc - gc, torch::where(most == g, 2 + rc - bc, 4 + gc - rc));
  return torch::fmod(hue / 6 + 1, 1);
}

}  // namespace

torch::Tensor light_by_torch(const torch::Tensor& images, const std::vector<LogitMap>& maps) {
  const auto n = static_cast<std::int64_t>(maps.size());
  std::vector<float> scales, shifts, mixes;
  bool any_mixes = false;
  for (const LogitMap& map : maps) {
    any_mixes = any_mixes || map.mixes;
    scales.push_back(static_cast<float>(map.mix[0]));
    shifts.insert(shifts.end(), map.shift.begin(), map.shift.end());
    mixes.insert(mixes.end(), map.mix.begin(), map.mix.end());
  }
  auto x = kept_logit(images);
  auto shift = column(shifts, images, {n, 3, 1, 1});
  if (!any_mixes) {
    return x.mul_(column(scales, images, {n, 1, 1, 1})).add_(shift.narrow(1, 0, 1)).sigmoid_();
  }
  auto mixed = torch::matmul(column(mixes, images, {n, 3, 3}), x.flatten(2)).view(images.sizes());
  return mixed.add_(shift).sigmoid_();
}

torch::Tensor turn_hue_by_torch(const torch::Tensor& images, const std::vector<double>& turns) {
  const auto n = static_cast<std::int64_t>(turns.size());
  const auto channels = images.unbind(1);
  auto most = images.amax(1), range = most - images.amin(1);
  auto saturation = range / torch::where(range == 0, torch::ones_like(range), most);
  auto turn = column(std::vector<float>(turns.begin(), turns.end()), images, {n, 1, 1});
  auto hue = torch::remainder(hue_of(channels[0], channels[1], channels[2], most, range) + turn, 1);
  auto sixth = torch::floor(hue * 6);
  auto rest = hue * 6 - sixth;
  sixth = torch::remainder(sixth, 6);
  auto p = (most * (1 - saturation)).clamp(0, 1), q = (most * (1 - saturation * rest)).clamp(0, 1),
       t = (most * (1 - saturation * (1 - rest))).clamp(0, 1);
  return torch::stack({pick(sixth, {most, q, p, p, t, most}), pick(sixth, {t, most, most, q, p, p}),
                       pick(sixth, {p, p, t, most, most, q})},
                      1);
}

}  // namespace kindling::detail
