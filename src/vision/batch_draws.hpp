#pragma once
/// Draws of batch transforms: each image of a batch and each step of a transform has a stream of its own.

#include <kindling/core/error.hpp>
#include <kindling/data/transform.hpp>

#include <functional>
#include <vector>

namespace kindling::detail {

/// The generator of one image and step; `image` -1 is the one that the whole batch shares.
inline CounterRng batch_rng(const ItemContext& context, std::size_t step, std::int64_t image) {
  const auto place = static_cast<std::uint64_t>(context.transform) | static_cast<std::uint64_t>(step) << 24 |
                     static_cast<std::uint64_t>(image + 1) << 32;
  return CounterRng(context.seed, context.epoch, context.item, place);
}

/// What image `i` is given instead of a draw. Throws `usage` where the list is too short.
inline double given_draw(const std::vector<double>& given, std::int64_t i) {
  if (given.size() == 1) return given.front();
  if (static_cast<std::size_t>(i) < given.size()) return given[i];
  throw Error(ErrorCode::usage, "there are fewer given draws than images in the batch", {{"draws", given.size()}},
              "give one value for all images, or one for each");
}

/// A value of one image: drawn or given, and replaced by `neutral` with probability 1 - p.
inline double masked_draw(const std::vector<double>& given, std::int64_t image, double p, double neutral,
                          CounterRng& rng, const std::function<double(CounterRng&)>& draw) {
  const double value = given.empty() ? draw(rng) : given_draw(given, image);
  return p >= 1 || rng.bernoulli(p) ? value : neutral;
}

}  // namespace kindling::detail
