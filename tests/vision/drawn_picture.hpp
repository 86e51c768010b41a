#pragma once
/// Pictures that formulas draw; tests/golden/make_data.py and make_augment.py draw the same.

#include <kindling/data/value.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <torch/types.h>

namespace kindling::testing {

/// "RGB", "L" or "mask".
inline Image drawn(const std::string& kind, int width, int height) {
  Image image({width, height}, kind == "RGB" ? 3 : 1);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < image.channels(); ++c) {
        const int value = kind == "mask" ? (x / 8 + 2 * (y / 8)) % 5
                                         : (x * (3 + 2 * c) + y * (7 - 2 * c) + x * y / 16 + 40 * c) % 256;
        image.row(y)[x * image.channels() + c] = static_cast<std::uint8_t>(value);
      }
    }
  }
  return image;
}

/// N x C x H x W of floats in [0, 1], channels last.
inline torch::Tensor drawn_batch(std::int64_t n, std::int64_t channels, std::int64_t height, std::int64_t width) {
  auto batch = torch::empty({n, channels, height, width});
  auto at = batch.accessor<float, 4>();
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
          const auto wave = (x * (5 + 2 * c) + y * (9 - 2 * c) + 37 * c + 61 * i) % 510 - 255;
          at[i][c][y][x] = static_cast<float>(static_cast<double>(std::abs(wave)) / 255);
        }
      }
    }
  }
  return batch.contiguous(torch::MemoryFormat::ChannelsLast);
}

/// N x H x W of int64.
inline torch::Tensor drawn_masks(std::int64_t n, std::int64_t height, std::int64_t width) {
  auto masks = torch::empty({n, height, width}, torch::kInt64);
  auto at = masks.accessor<std::int64_t, 3>();
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) at[i][y][x] = (x / 2 + 2 * (y / 2) + i) % 5;
    }
  }
  return masks;
}

/// The largest difference of two tensors of one shape.
inline double difference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// Golden numbers in millionths.
inline torch::Tensor from_millionths(const std::vector<std::int64_t>& values, torch::IntArrayRef shape) {
  return (torch::tensor(values).to(torch::kFloat64) / 1e6).to(torch::kFloat32).view(shape);
}

}  // namespace kindling::testing
