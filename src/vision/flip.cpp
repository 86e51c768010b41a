#include <kindling/core/error.hpp>
#include <kindling/vision/flip.hpp>

#include "vision/settings_json.hpp"

#include <algorithm>
#include <cstring>

namespace kindling {

namespace {

/// The eight as steps: mirrored left to right, then top to bottom, then rows and columns exchanged.
struct Steps {
  bool x = false, y = false, exchange = false;
};

Steps steps_of(int k) {
  static constexpr Steps steps[8] = {{},
                                     {.x = true},
                                     {.y = true},
                                     {.x = true, .exchange = true},
                                     {.x = true, .y = true},
                                     {.y = true, .exchange = true},
                                     {.exchange = true},
                                     {.x = true, .y = true, .exchange = true}};
  if (k < 0 || k > 7) {
    throw Error(ErrorCode::usage, "there are eight ways to lay a picture on its square", {{"k", k}},
                "give a number from 0 to 7");
  }
  return steps[k];
}

Point moved(Point p, const Steps& steps, Size picture) {
  if (steps.x) p.x = static_cast<float>(picture.width) - p.x;
  if (steps.y) p.y = static_cast<float>(picture.height) - p.y;
  if (steps.exchange) std::swap(p.x, p.y);
  return p;
}

}  // namespace

Image dihedral(const Image& image, int k, Size) {
  if (k == 0) return image;
  const Steps steps = steps_of(k);
  const int channels = image.channels();
  const Size size = steps.exchange ? Size{image.height(), image.width()} : image.size();
  Image out(size, channels);
  // From one output pixel to the next the source goes along a row or down a column.
  const std::ptrdiff_t along = (steps.x ? -1 : 1) * channels;
  const std::ptrdiff_t down = (steps.y ? -1 : 1) * static_cast<std::ptrdiff_t>(image.stride());
  const std::uint8_t* corner =
      image.row(steps.y ? image.height() - 1 : 0) + (steps.x ? image.width() - 1 : 0) * channels;
  const std::ptrdiff_t next_pixel = steps.exchange ? down : along, next_row = steps.exchange ? along : down;
  for (int y = 0; y < size.height; ++y) {
    const std::uint8_t* from = corner + y * next_row;
    std::uint8_t* to = out.row(y);
    for (int x = 0; x < size.width; ++x, from += next_pixel, to += channels) {
      for (int c = 0; c < channels; ++c) to[c] = from[c];
    }
  }
  return out;
}

Mask dihedral(const Mask& mask, int k, Size) {
  return {dihedral(mask.image, k)};
}

Points dihedral(const Points& points, int k, Size picture) {
  const Steps steps = steps_of(k);
  Points out = points;
  for (Point& p : out.points) p = moved(p, steps, picture);
  return out;
}

BBoxes dihedral(const BBoxes& boxes, int k, Size picture) {
  const Steps steps = steps_of(k);
  BBoxes out = boxes;
  for (BBox& b : out.boxes) {
    const Point first = moved({b.left, b.top}, steps, picture), last = moved({b.right, b.bottom}, steps, picture);
    b = {std::min(first.x, last.x), std::min(first.y, last.y), std::max(first.x, last.x),
         std::max(first.y, last.y)};
  }
  return out;
}

FlipItem::FlipItem(double p) : p_(p) {
  detail::require_range(name, "p", p, 0, 1);
}

int FlipItem::draw(const ItemContext& context) const {
  return context.rng().bernoulli(p_) ? 1 : 0;
}

DihedralItem::DihedralItem(double p) : p_(p) {
  detail::require_range(name, "p", p, 0, 1);
}

int DihedralItem::draw(const ItemContext& context) const {
  CounterRng rng = context.rng();
  return rng.bernoulli(p_) ? static_cast<int>(rng.integer(0, 7)) : 0;
}

}  // namespace kindling
