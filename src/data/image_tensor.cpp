#include <kindling/core/error.hpp>
#include <kindling/data/image_tensor.hpp>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>

namespace kindling {
namespace {

bool may_be_channels(std::int64_t n) {
  return n == 1 || n == 3 || n == 4;
}

/// H x W x C of every shape that a picture may have.
torch::Tensor channels_last(const torch::Tensor& t) {
  if (t.defined() && t.dim() == 2 && t.numel() > 0) return t.unsqueeze(2);
  if (t.defined() && t.dim() == 3 && t.numel() > 0) {
    if (may_be_channels(t.size(0))) return t.permute({1, 2, 0});
    if (may_be_channels(t.size(2))) return t;
  }
  throw Error(ErrorCode::usage, "a picture is a tensor of H x W, C x H x W or H x W x C numbers",
              {{"got", t.defined() ? fmt::format("{}", fmt::join(t.sizes(), " x ")) : "an undefined tensor"}},
              "take one picture out of a batch with batch[0]");
}

/// Numbers on [0, 1] to bytes; a grey picture's that reach beyond are stretched between its extremes.
torch::Tensor to_bytes(torch::Tensor hwc) {
  if (hwc.scalar_type() == torch::kUInt8) return hwc;
  hwc = hwc.to(torch::kFloat32).nan_to_num(0);
  const float low = hwc.min().item<float>(), high = hwc.max().item<float>();
  if (hwc.size(2) == 1 && (low < 0 || high > 1)) hwc = (hwc - low) / std::max(high - low, 1e-12f);
  return (hwc.clamp(0, 1) * 255).round().to(torch::kUInt8);
}

Image inverted(Image image) {
  Image out(image.size(), image.channels());
  for (std::size_t i = 0; i < image.bytes(); ++i) out.data()[i] = 255 - image.data()[i];
  return out;
}

/// What a grid shows: grey or RGB.
Image without_alpha(Image image) {
  if (image.channels() != 4) return image;
  Image out(image.size(), 3);
  for (std::int64_t i = 0; i < std::int64_t{image.width()} * image.height(); ++i)
    std::memcpy(out.data() + 3 * i, image.data() + 4 * i, 3);
  return out;
}

}  // namespace

torch::Tensor tensor(const Image& image) {
  if (image.empty()) throw Error(ErrorCode::usage, "the picture is empty");
  std::vector<std::int64_t> shape = {image.height(), image.width()};
  if (image.channels() > 1) shape.push_back(image.channels());
  auto pixels = torch::empty(shape, torch::kUInt8);
  std::memcpy(pixels.data_ptr(), image.data(), image.bytes());
  return pixels;
}

Image to_image(const torch::Tensor& t) {
  const auto bytes = to_bytes(channels_last(t).detach().cpu()).contiguous();
  Image image({static_cast<int>(bytes.size(1)), static_cast<int>(bytes.size(0))}, static_cast<int>(bytes.size(2)));
  std::memcpy(image.data(), bytes.data_ptr(), image.bytes());
  return image;
}

Picture show_image(const Image& image, const ShowImageOptions& options) {
  const Image shown = without_alpha(image);
  return draw_grid({{.image = options.inverted ? inverted(shown) : shown, .caption = options.title}},
                   {.cell = options.cell});
}

Picture show_image(const torch::Tensor& t, const ShowImageOptions& options) {
  return show_image(to_image(t), options);
}

Picture show_images(const std::vector<torch::Tensor>& tensors, const ShowImagesOptions& options) {
  if (!options.titles.empty() && options.titles.size() != tensors.size()) {
    throw Error(ErrorCode::usage, "there are not as many titles as pictures",
                {{"titles", options.titles.size()}, {"pictures", tensors.size()}});
  }
  std::vector<GridCell> cells;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Image shown = without_alpha(to_image(tensors[i]));
    cells.push_back({.image = options.inverted ? inverted(shown) : shown,
                     .caption = options.titles.empty() ? "" : options.titles[i]});
  }
  const int n = static_cast<int>(cells.size()), rows = std::max(1, options.nrows);
  return draw_grid(cells, {.columns = (n + rows - 1) / rows, .cell = options.cell});
}

}  // namespace kindling
