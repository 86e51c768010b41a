#pragma once
/// fastai's `RandomErasing`: rectangles of noise, so that a model does not lean on one part of a picture.

#include <kindling/vision/crop.hpp>

#include <vector>

namespace kindling {

struct RandomErasingOptions {
  double p = 0.5;           ///< of erasing in a batch
  double sl = 0;            ///< least part of the area
  double sh = 0.3;          ///< most
  double min_aspect = 0.3;  ///< of a rectangle's height to its width; the most is 1 / min_aspect
  int max_count = 1;        ///< rectangles; the area is shared
};

/// The same rectangles of a whole batch, filled with normal noise. Acts after `Normalize`, in training only.
class RandomErasing {
 public:
  static constexpr const char* name = "RandomErasing";
  static constexpr int order = 100;
  static constexpr Split only_on = Split::train;
  explicit RandomErasing(RandomErasingOptions options = {});

  TensorImage encodes(const TensorImage& images, const ItemContext& context) const;
  /// The rectangles of pictures of that size, which end at their edges.
  std::vector<Box> draw(Size picture, const CropDraws& draws) const;
  /// A copy of the batch with noise, drawn from `seed`, in the rectangles.
  TensorImage apply(const TensorImage& images, const std::vector<Box>& boxes, std::uint64_t seed) const;
  Json to_json() const;
  static RandomErasing from_json(const Json& json);

 private:
  RandomErasingOptions options_;
};

}  // namespace kindling
