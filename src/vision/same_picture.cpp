#include "vision/same_picture.hpp"

#include <kindling/vision/codec.hpp>
#include <kindling/vision/resample.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace kindling::detail {

namespace {

constexpr int pixels = fine_side * fine_side;
constexpr double least_correlation = 0.98;
constexpr double strongest_gain = 1.6;
/// Levels by which a patch of 4 x 4 pixels may differ, once brightness is brought into agreement.
constexpr double most_in_a_patch = 14;
constexpr int patch_side = 4;
/// Mean levels by which the colours may differ.
constexpr double most_colour = 8;
/// Mean distance from grey up to which a picture has no colour.
constexpr double no_colour = 2.5;

double mean(const FinePicture::Plane& plane) {
  return std::accumulate(plane.begin(), plane.end(), 0.0) / pixels;
}

/// The place of a pixel in the mirrored picture.
int place(int x, int y, bool mirror) {
  return y * fine_side + (mirror ? fine_side - 1 - x : x);
}

FinePicture::Plane mirrored_plane(const FinePicture::Plane& plane) {
  FinePicture::Plane out(plane.size());
  for (int y = 0; y < fine_side; ++y) {
    for (int x = 0; x < fine_side; ++x) out[place(x, y, false)] = plane[place(x, y, true)];
  }
  return out;
}

double mean_difference(const FinePicture::Plane& a, const FinePicture::Plane& b) {
  double sum = 0;
  for (int i = 0; i < pixels; ++i) sum += std::abs(a[i] - b[i]);
  return sum / pixels;
}

/// `b` as a line of `a`: b = mean_b + slope (a - mean_a).
struct Line {
  double mean_a = 0, mean_b = 0, slope = 0, correlation = 0;
};

Line fit(const FinePicture::Plane& a, const FinePicture::Plane& b) {
  Line line{mean(a), mean(b), 0, 0};
  double aa = 0, bb = 0, ab = 0;
  for (int i = 0; i < pixels; ++i) {
    const double da = a[i] - line.mean_a, db = b[i] - line.mean_b;
    aa += da * da;
    bb += db * db;
    ab += da * db;
  }
  if (aa <= 0 || bb <= 0) return line;
  line.slope = ab / aa;
  line.correlation = ab / std::sqrt(aa * bb);
  return line;
}

/// The largest difference of a patch from what the line says.
double worst_patch(const FinePicture::Plane& a, const FinePicture::Plane& b, const Line& line) {
  double worst = 0;
  for (int top = 0; top < fine_side; top += patch_side) {
    for (int left = 0; left < fine_side; left += patch_side) {
      double sum = 0;
      for (int y = top; y < top + patch_side; ++y) {
        for (int x = left; x < left + patch_side; ++x) {
          const int i = place(x, y, false);
          sum += b[i] - (line.mean_b + line.slope * (a[i] - line.mean_a));
        }
      }
      worst = std::max(worst, std::abs(sum) / (patch_side * patch_side));
    }
  }
  return worst;
}

bool same_brightness(const FinePicture::Plane& a, const FinePicture::Plane& b) {
  const Line line = fit(a, b);
  return line.correlation >= least_correlation && line.slope <= strongest_gain &&
         line.slope >= 1 / strongest_gain && worst_patch(a, b, line) <= most_in_a_patch;
}

}  // namespace

FinePicture fine_picture(const Image& rgb) {
  const Image small = resize(rgb, {fine_side, fine_side});
  FinePicture out{FinePicture::Plane(pixels), FinePicture::Plane(pixels), FinePicture::Plane(pixels)};
  double colour = 0;
  for (int i = 0; i < pixels; ++i) {
    const std::uint8_t* p = small.data() + static_cast<std::ptrdiff_t>(i) * 3;
    const float luma = 0.299F * p[0] + 0.587F * p[1] + 0.114F * p[2];
    out.luma[i] = luma;
    out.blue[i] = 0.564F * (p[2] - luma);
    out.red[i] = 0.713F * (p[0] - luma);
    colour += std::abs(out.blue[i]) + std::abs(out.red[i]);
  }
  out.colourless = colour / (2 * pixels) < no_colour;
  return out;
}

FinePicture open_fine(const fs::path& path, bool exif_orientation) {
  const auto reduction = [](Size size) {
    int by = 8;
    while (by > 1 && std::min(size.width, size.height) / by < fine_side) by /= 2;
    return by;
  };
  return fine_picture(open_image(path, {.exif_orientation = exif_orientation, .reduction = reduction}));
}

bool same_picture(const FinePicture& a, const FinePicture& b, bool mirror) {
  if (!same_brightness(a.luma, mirror ? mirrored_plane(b.luma) : b.luma)) return false;
  if (a.colourless || b.colourless) return true;
  return mean_difference(a.blue, mirror ? mirrored_plane(b.blue) : b.blue) <= most_colour &&
         mean_difference(a.red, mirror ? mirrored_plane(b.red) : b.red) <= most_colour;
}

}  // namespace kindling::detail
