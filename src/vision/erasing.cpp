#include <kindling/core/error.hpp>
#include <kindling/vision/erasing.hpp>

#include "vision/batch_draws.hpp"
#include "vision/crop_search.hpp"
#include "vision/settings_json.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

namespace kindling {

namespace {

/// Where a part of about sqrt(area) pixels lies on a side of `size`, cut off at its end.
std::array<int, 2> draw_span(double area, int size, const CropDraws& draws) {
  // Python rounds halves to even, as nearbyint does.
  const int length = static_cast<int>(std::nearbyint(std::sqrt(area)));
  const int start = static_cast<int>(draws.integer(0, std::max(size - length, 0)));
  return {start, std::min(start + length, size)};
}

}  // namespace

RandomErasing::RandomErasing(RandomErasingOptions options) : options_(options) {
  detail::require_range(name, "p", options.p, 0, 1);
  detail::require_range(name, "sh", options.sh, 0, 1);
  detail::require_range(name, "sl", options.sl, 0, options.sh);
  detail::require_range(name, "min_aspect", options.min_aspect, 1e-3, 1);
  detail::require_range(name, "max_count", options.max_count, 1, 1000);
}

std::vector<Box> RandomErasing::draw(Size picture, const CropDraws& draws) const {
  const auto count = draws.integer(1, options_.max_count);
  const double area = static_cast<double>(picture.height) * picture.width / static_cast<double>(count);
  const double flattest = std::log(options_.min_aspect), steepest = std::log(1 / options_.min_aspect);
  std::vector<Box> boxes;
  for (std::int64_t i = 0; i < count; ++i) {
    const double part = draws.uniform(options_.sl, options_.sh) * area;
    const double aspect = std::exp(draws.uniform(flattest, steepest));
    const auto rows = draw_span(part * aspect, picture.height, draws);
    const auto columns = draw_span(part / aspect, picture.width, draws);
    boxes.push_back({columns[0], rows[0], columns[1], rows[1]});
  }
  return boxes;
}

TensorImage RandomErasing::apply(const TensorImage& images, const std::vector<Box>& boxes,
                                 std::uint64_t seed) const {
  auto erased = images.tensor.clone();
  // A generator of its own: the global one is left alone, and the noise depends on the seed only.
  auto generator = at::detail::createCPUGenerator(seed);
  for (const Box& box : boxes) {
    auto part = erased.narrow(2, box.top, box.bottom - box.top).narrow(3, box.left, box.right - box.left);
    part.copy_(torch::randn(part.sizes(), generator, images.tensor.options().device(torch::kCPU)));
  }
  return {erased};
}

TensorImage RandomErasing::encodes(const TensorImage& images, const ItemContext& context) const {
  CounterRng rng = detail::batch_rng(context, 0, -1);
  if (options_.p < 1 && !rng.bernoulli(options_.p)) return images;
  const Size picture{static_cast<int>(images.tensor.size(3)), static_cast<int>(images.tensor.size(2))};
  const auto boxes = draw(picture, detail::draws_from(rng));
  return apply(images, boxes, rng.next());
}

Json RandomErasing::to_json() const {
  return {{"p", options_.p},
          {"sl", options_.sl},
          {"sh", options_.sh},
          {"min_aspect", options_.min_aspect},
          {"max_count", options_.max_count}};
}

RandomErasing RandomErasing::from_json(const Json& json) {
  return RandomErasing({.p = json.at("p").get<double>(),
                        .sl = json.at("sl").get<double>(),
                        .sh = json.at("sh").get<double>(),
                        .min_aspect = json.at("min_aspect").get<double>(),
                        .max_count = json.at("max_count").get<int>()});
}

}  // namespace kindling
