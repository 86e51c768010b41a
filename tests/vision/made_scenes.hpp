#pragma once
/// Pictures that look different from each other as photos do, made from a seed; and what happens to copies.

#include <kindling/vision/codec.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace kindling::test {

/// The usual generator of its own, so that a picture does not depend on the library's random numbers.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : state_((seed + 1) * 0xD1342543DE82EF95ULL) {}
  std::uint64_t bits() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  double between(double low, double high) {
    return low + (high - low) * static_cast<double>(bits() >> 11) / static_cast<double>(1ULL << 53);
  }

 private:
  std::uint64_t state_;
};

/// A background that changes across, and soft blobs of many colours on it.
inline Image scene(std::uint64_t seed, Size size = {240, 180}) {
  struct Blob {
    double x, y, radius, colour[3];
  };
  Draws draws(seed);
  double from[3], to[3];
  for (int c = 0; c < 3; ++c) {
    from[c] = draws.between(30, 220);
    to[c] = draws.between(30, 220);
  }
  std::vector<Blob> blobs(24);
  for (Blob& b : blobs) {
    b = {draws.between(0, 1), draws.between(0, 1), draws.between(0.03, 0.16), {}};
    for (double& c : b.colour) c = draws.between(0, 255);
  }
  Image image(size, 3);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      const double u = (x + 0.5) / size.width, v = (y + 0.5) / size.height;
      double value[3];
      for (int c = 0; c < 3; ++c) value[c] = from[c] + (to[c] - from[c]) * (u + v) / 2;
      for (const Blob& b : blobs) {
        if (std::abs(u - b.x) >= b.radius || std::abs(v - b.y) >= b.radius) continue;
        const double distance = std::hypot(u - b.x, v - b.y) / b.radius;
        const double cover = std::clamp(4 * (1 - distance), 0.0, 1.0);
        for (int c = 0; c < 3; ++c) value[c] += cover * (b.colour[c] - value[c]);
      }
      for (int c = 0; c < 3; ++c)
        image.row(y)[3 * x + c] = static_cast<std::uint8_t>(std::clamp(std::lround(value[c]), 0L, 255L));
    }
  }
  return image;
}

inline Image mirrored_copy(const Image& image) {
  Image out(image.size(), image.channels());
  const int n = image.channels();
  for (int y = 0; y < image.height(); ++y) {
    for (int x = 0; x < image.width(); ++x)
      std::copy_n(image.row(y) + (image.width() - 1 - x) * n, n, out.row(y) + x * n);
  }
  return out;
}

inline Image lighter(const Image& image, int by) {
  Image out(image.size(), image.channels());
  std::transform(image.data(), image.data() + image.bytes(), out.data(),
                 [by](int v) { return static_cast<std::uint8_t>(std::clamp(v + by, 0, 255)); });
  return out;
}

inline void save(const fs::path& path, const Image& image, int quality = 90) {
  fs::create_directories(path.parent_path());
  write_file(path, std::span<const std::uint8_t>(encode_jpeg(image, quality)));
}

}  // namespace kindling::test
