#pragma once
/// The search for a part of random area and aspect, which crops of items and of batches share.

#include <kindling/data/transform.hpp>
#include <kindling/vision/crop.hpp>

namespace kindling::detail {

struct CropRange {
  double min_scale, max_scale;
  std::array<double, 2> ratio;
};

/// Throws `usage` naming the transform for scales or ratios that no crop can have.
void require_range(const char* transform, const CropRange& range);

/// Sides of the first of ten drawn parts that fits; 0 x 0 where none does. `rng` is asked for area and aspect.
Size draw_crop_size(Size source, const CropRange& range, const CropDraws& draws);

/// The largest part in the middle whose aspect is allowed.
Size widest_crop(Size source, const std::array<double, 2>& ratio);

/// Draws of kindling's own generator, which must live as long.
CropDraws draws_from(CounterRng& rng);

}  // namespace kindling::detail
