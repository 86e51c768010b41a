#pragma once
/// Pillow's operations on 8-bit pictures that `RandAugment` is made of, with its results.

#include <kindling/data/image.hpp>

#include <array>

namespace kindling::detail {

/// From places of the result to places of the source: x' = m0 x + m1 y + m2, y' = m3 x + m4 y + m5.
using Affine6 = std::array<double, 6>;

/// `image.transform(size, AFFINE, m, NEAREST, fillcolor=fill)`.
Image transform_nearest(const Image& image, const Affine6& m, int fill);

/// `Image.blend(first, second, alpha)`.
Image blend(const Image& first, const Image& second, double alpha);

// ImageEnhance: 1 leaves the picture as it is, 0 takes everything away.
Image enhance_brightness(const Image& image, double factor);
Image enhance_color(const Image& image, double factor);
Image enhance_contrast(const Image& image, double factor);
Image enhance_sharpness(const Image& image, double factor);

// ImageOps.
Image posterize(const Image& image, int bits);
Image solarize(const Image& image, double threshold);
Image auto_contrast(const Image& image);
Image equalize(const Image& image);

}  // namespace kindling::detail
