#include "vision/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <torch/types.h>

namespace kindling::detail {

namespace {

constexpr std::array<PlanePoint, 4> corners = {PlanePoint{-1, -1}, PlanePoint{1, -1}, PlanePoint{-1, 1},
                                               PlanePoint{1, 1}};

/// How far the places lie apart that are sampled, over both axes and all images; of regular maps the corners say it.
double extent(const std::vector<Matrix3>& maps) {
  double least = std::numeric_limits<double>::infinity(), most = -least;
  for (const Matrix3& map : maps) {
    for (const PlanePoint& corner : corners) {
      for (const double at : project(map, corner)) {
        least = std::min(least, at);
        most = std::max(most, at);
      }
    }
  }
  return most - least;
}

/// Pictures that are made less than half as large are averaged first, so that no detail turns into noise. As fastai
/// counts it, height is compared with the result's width, and width with 2: for squares that is what is meant.
torch::Tensor reduced(const torch::Tensor& images, const std::vector<Matrix3>& maps, const Sampling& sampling) {
  if (sampling.mode != Interpolation::bilinear) return images;
  const double rows = images.size(2), columns = images.size(3);
  const double times = std::min(rows / sampling.to.width, columns / 2) / 2;
  if (!(times > 1) || !(times > 2 / extent(maps))) return images;
  const auto height = static_cast<std::int64_t>(std::floor(rows * (1 / times)));
  const auto width = static_cast<std::int64_t>(std::floor(columns * (1 / times)));
  return torch::adaptive_avg_pool2d(images, {height, width});
}

torch::Tensor base_places(const torch::Tensor& like, const Sampling& sampling) {
  auto axis = [&](int n) {
    auto at = torch::arange(n, like.options());
    if (!sampling.align_corners) return (at * 2 + 1) / n - 1;
    return n == 1 ? at : at * (2.0 / (n - 1)) - 1;
  };
  const auto height = sampling.to.height, width = sampling.to.width;
  auto x = axis(width).view({1, width}).expand({height, width});
  auto y = axis(height).view({height, 1}).expand({height, width});
  return torch::stack({x, y, torch::ones_like(x)}, -1).view({1, -1, 3});
}

torch::Tensor grid_sample(const torch::Tensor& images, const torch::Tensor& grid, const Sampling& sampling) {
  // torch's numbers of modes and paddings.
  const int mode = sampling.mode == Interpolation::bilinear ? 0 : sampling.mode == Interpolation::nearest ? 1 : 2;
  const int padding = sampling.pad_mode == PadMode::zeros ? 0 : sampling.pad_mode == PadMode::border ? 1 : 2;
  return torch::grid_sampler(images, grid, mode, padding, sampling.align_corners);
}

}  // namespace

bool are_regular(const std::vector<Matrix3>& maps) {
  return std::all_of(maps.begin(), maps.end(), [](const Matrix3& map) {
    return std::all_of(corners.begin(), corners.end(), [&](const PlanePoint& corner) {
      return map[6] * corner[0] + map[7] * corner[1] + map[8] > 1e-3;
    });
  });
}

torch::Tensor sample_by_torch(const torch::Tensor& images, const std::vector<Matrix3>& maps,
                              const Sampling& sampling) {
  const auto source = reduced(images, maps, sampling);
  std::vector<float> values;
  for (const Matrix3& map : maps) values.insert(values.end(), map.begin(), map.end());
  const auto n = static_cast<std::int64_t>(maps.size());
  auto matrices = torch::tensor(values).view({n, 3, 3}).to(images.device());
  auto places = torch::matmul(base_places(matrices, sampling), matrices.transpose(1, 2));
  auto grid = (places.narrow(2, 0, 2) / places.narrow(2, 2, 1))
                  .view({n, sampling.to.height, sampling.to.width, 2})
                  .to(images.scalar_type());
  return grid_sample(source, grid, sampling);
}

torch::Tensor sample_images(const torch::Tensor& images, const std::vector<Matrix3>& maps,
                            const Sampling& sampling) {
  const bool kernel = images.device().is_cpu() && images.scalar_type() == torch::kFloat32 &&
                      sampling.mode != Interpolation::bicubic && are_regular(maps) && images.numel() > 0;
  if (!kernel) return sample_by_torch(images, maps, sampling);
  return sample_by_kernel(reduced(images, maps, sampling), maps, sampling);
}

torch::Tensor sample_masks(const torch::Tensor& masks, const std::vector<Matrix3>& maps, const Sampling& sampling) {
  Sampling nearest = sampling;
  nearest.mode = Interpolation::nearest;
  const auto dtype = masks.scalar_type();
  const bool kernel = masks.device().is_cpu() && (dtype == torch::kUInt8 || dtype == torch::kInt64) &&
                      are_regular(maps) && masks.numel() > 0;
  if (kernel) return sample_masks_by_kernel(masks, maps, nearest);
  return sample_by_torch(masks.unsqueeze(1).to(torch::kFloat32), maps, nearest).squeeze(1).to(dtype);
}

}  // namespace kindling::detail
