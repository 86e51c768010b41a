#include <kindling/core/error.hpp>
#include <kindling/vision/auto_augment.hpp>
#include <kindling/vision/flip.hpp>

#include "vision/homography.hpp"
#include "vision/pillow_ops.hpp"
#include "vision/settings_json.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>

#include <torch/types.h>

namespace kindling {

namespace {

using Op = AutoAugmentOp;
using detail::Affine6;

constexpr std::array<std::string_view, 14> op_names = {
    "Identity", "ShearX",   "ShearY",    "TranslateX", "TranslateY", "Rotate",       "Brightness",
    "Color",    "Contrast", "Sharpness", "Posterize",  "Solarize",   "AutoContrast", "Equalize"};

/// Python's round(x, 15), to which Pillow rounds sines and cosines.
double rounded(double x) {
  return std::nearbyint(x * 1e15) / 1e15;
}

Affine6 rotation(double degrees, Size size) {
  const double angle = -degrees * std::numbers::pi / 180, x = size.width / 2.0, y = size.height / 2.0;
  const double c = rounded(std::cos(angle)), s = rounded(std::sin(angle));
  return {c, s, -c * x - s * y + x, -s, c, s * x - c * y + y};
}

/// torchvision takes the slope to degrees and back.
double slope(double magnitude) {
  const double degrees = std::atan(magnitude) * 180 / std::numbers::pi;
  return std::tan(degrees * std::numbers::pi / 180);
}

/// Places of the result to places of the source; nothing for operations that move no pixel.
std::optional<Affine6> movement(const AutoAugmentDraw& draw, Size size) {
  const double m = draw.magnitude, whole = std::trunc(m);
  switch (draw.op) {
    case Op::shear_x:
      return Affine6{1, slope(m), 0, 0, 1, 0};
    case Op::shear_y:
      return Affine6{1, 0, 0, slope(m), 1, 0};
    case Op::translate_x:
      return Affine6{1, 0, -whole, 0, 1, 0};
    case Op::translate_y:
      return Affine6{1, 0, 0, 0, 1, -whole};
    case Op::rotate:
      return rotation(m, size);
    default:
      return std::nullopt;
  }
}

/// Which of the eight a rotation is that Pillow makes by moving whole rows; -1 for others.
int quarter_turn(const AutoAugmentDraw& draw, Size size) {
  if (draw.op != Op::rotate) return -1;
  const double degrees = draw.magnitude - 360 * std::floor(draw.magnitude / 360);
  if (degrees == 0) return 0;
  if (degrees == 180) return 4;
  if (size.width != size.height) return -1;
  return degrees == 90 ? 3 : degrees == 270 ? 5 : -1;
}

Image moved(const Image& image, const AutoAugmentDraw& draw, int fill) {
  const int turn = quarter_turn(draw, image.size());
  if (turn >= 0) return dihedral(image, turn);
  return detail::transform_nearest(image, *movement(draw, image.size()), fill);
}

/// The way back, for points.
detail::Matrix3 back(const Affine6& m) {
  return detail::inverse({m[0], m[1], m[2], m[3], m[4], m[5], 0, 0, 1});
}

Point moved(Point p, const detail::Matrix3& way) {
  const auto to = detail::project(way, {p.x, p.y});
  return {static_cast<float>(to[0]), static_cast<float>(to[1])};
}

Image changed(const Image& image, const AutoAugmentDraw& draw) {
  switch (draw.op) {
    case Op::brightness:
      return detail::enhance_brightness(image, 1 + draw.magnitude);
    case Op::color:
      return detail::enhance_color(image, 1 + draw.magnitude);
    case Op::contrast:
      return detail::enhance_contrast(image, 1 + draw.magnitude);
    case Op::sharpness:
      return detail::enhance_sharpness(image, 1 + draw.magnitude);
    case Op::posterize:
      return detail::posterize(image, std::clamp(static_cast<int>(draw.magnitude), 0, 8));
    case Op::solarize:
      return detail::solarize(image, draw.magnitude);
    case Op::auto_contrast:
      return detail::auto_contrast(image);
    case Op::equalize:
      return detail::equalize(image);
    default:
      return image;
  }
}

/// How strong the operations may be.
struct Space {
  double shear, across, down, degrees, light;
  int posterize;  ///< bits that may be taken away
};

std::vector<double> magnitudes_in(const Space& space, Op op, int bins) {
  const auto to = [bins](double first, double last) {
    // float32, as torchvision's.
    const auto values = torch::linspace(first, last, bins, torch::kFloat32);
    const auto* data = values.const_data_ptr<float>();
    return std::vector<double>(data, data + bins);
  };
  switch (op) {
    case Op::shear_x:
    case Op::shear_y:
      return to(0, space.shear);
    case Op::translate_x:
      return to(0, space.across);
    case Op::translate_y:
      return to(0, space.down);
    case Op::rotate:
      return to(0, space.degrees);
    case Op::brightness:
    case Op::color:
    case Op::contrast:
    case Op::sharpness:
      return to(0, space.light);
    case Op::solarize:
      return to(255, 0);
    case Op::posterize: {
      std::vector<double> bits;
      const auto step = static_cast<float>((bins - 1) / static_cast<double>(space.posterize));
      for (int i = 0; i < bins; ++i) bits.push_back(8 - std::nearbyint(static_cast<float>(i) / step));
      return bits;
    }
    default:
      return {};
  }
}

bool has_sign(Op op) {
  return op >= Op::shear_x && op <= Op::sharpness;
}

Op draw_op(CounterRng& rng) {
  return static_cast<Op>(rng.integer(0, static_cast<std::int64_t>(op_names.size()) - 1));
}

}  // namespace

std::string_view name_of(AutoAugmentOp op) {
  return op_names[static_cast<std::size_t>(op)];
}

Image auto_augment(const Image& image, const AutoAugmentDraw& draw, Size, int fill) {
  return movement(draw, image.size()) ? moved(image, draw, fill) : changed(image, draw);
}

Mask auto_augment(const Mask& mask, const AutoAugmentDraw& draw, Size, int) {
  return movement(draw, mask.image.size()) ? Mask{moved(mask.image, draw, 0)} : mask;
}

Points auto_augment(const Points& points, const AutoAugmentDraw& draw, Size picture, int) {
  const auto movement_of_picture = movement(draw, picture);
  if (!movement_of_picture) return points;
  const auto way = back(*movement_of_picture);
  Points out = points;
  for (Point& p : out.points) p = moved(p, way);
  return out;
}

BBoxes auto_augment(const BBoxes& boxes, const AutoAugmentDraw& draw, Size picture, int) {
  const auto movement_of_picture = movement(draw, picture);
  if (!movement_of_picture) return boxes;
  const auto way = back(*movement_of_picture);
  BBoxes out = boxes;
  for (BBox& b : out.boxes) {
    const Point corners[4] = {moved({b.left, b.top}, way), moved({b.right, b.top}, way),
                              moved({b.left, b.bottom}, way), moved({b.right, b.bottom}, way)};
    const auto [left, right] = std::minmax({corners[0].x, corners[1].x, corners[2].x, corners[3].x});
    const auto [top, bottom] = std::minmax({corners[0].y, corners[1].y, corners[2].y, corners[3].y});
    b = {left, top, right, bottom};
  }
  return out;
}

RandAugment::RandAugment(RandAugmentOptions options) : options_(options) {
  detail::require_range(name, "num_ops", options.num_ops, 0, 100);
  detail::require_range(name, "num_magnitude_bins", options.num_magnitude_bins, 2, 10000);
  detail::require_range(name, "magnitude", options.magnitude, 0, options.num_magnitude_bins - 1);
  detail::require_range(name, "fill", options.fill, 0, 255);
}

std::vector<double> RandAugment::magnitudes(AutoAugmentOp op, Size picture) const {
  return magnitudes_in({.shear = 0.3,
                        .across = 150.0 / 331.0 * picture.width,
                        .down = 150.0 / 331.0 * picture.height,
                        .degrees = 30,
                        .light = 0.9,
                        .posterize = 4},
                       op, options_.num_magnitude_bins);
}

std::vector<AutoAugmentDraw> RandAugment::draw(Size picture, const ItemContext& context) const {
  CounterRng rng = context.rng();
  std::vector<AutoAugmentDraw> draws;
  for (int i = 0; i < options_.num_ops; ++i) {
    AutoAugmentDraw draw{.op = draw_op(rng)};
    if (const auto values = magnitudes(draw.op, picture); !values.empty()) draw.magnitude = values[options_.magnitude];
    if (has_sign(draw.op) && rng.bernoulli(0.5)) draw.magnitude = -draw.magnitude;
    draws.push_back(draw);
  }
  return draws;
}

Json RandAugment::to_json() const {
  return {{"num_ops", options_.num_ops},
          {"magnitude", options_.magnitude},
          {"num_magnitude_bins", options_.num_magnitude_bins},
          {"fill", options_.fill}};
}

RandAugment RandAugment::from_json(const Json& json) {
  return RandAugment({.num_ops = json.at("num_ops").get<int>(),
                      .magnitude = json.at("magnitude").get<int>(),
                      .num_magnitude_bins = json.at("num_magnitude_bins").get<int>(),
                      .fill = json.at("fill").get<int>()});
}

TrivialAugmentWide::TrivialAugmentWide(TrivialAugmentWideOptions options) : options_(options) {
  detail::require_range(name, "num_magnitude_bins", options.num_magnitude_bins, 2, 10000);
  detail::require_range(name, "fill", options.fill, 0, 255);
}

std::vector<double> TrivialAugmentWide::magnitudes(AutoAugmentOp op) const {
  return magnitudes_in({.shear = 0.99, .across = 32, .down = 32, .degrees = 135, .light = 0.99, .posterize = 6}, op,
                       options_.num_magnitude_bins);
}

AutoAugmentDraw TrivialAugmentWide::draw(const ItemContext& context) const {
  CounterRng rng = context.rng();
  AutoAugmentDraw draw{.op = draw_op(rng)};
  if (const auto values = magnitudes(draw.op); !values.empty()) {
    draw.magnitude = values[static_cast<std::size_t>(rng.integer(0, static_cast<std::int64_t>(values.size()) - 1))];
  }
  if (has_sign(draw.op) && rng.bernoulli(0.5)) draw.magnitude = -draw.magnitude;
  return draw;
}

Json TrivialAugmentWide::to_json() const {
  return {{"num_magnitude_bins", options_.num_magnitude_bins}, {"fill", options_.fill}};
}

TrivialAugmentWide TrivialAugmentWide::from_json(const Json& json) {
  return TrivialAugmentWide({.num_magnitude_bins = json.at("num_magnitude_bins").get<int>(),
                             .fill = json.at("fill").get<int>()});
}

}  // namespace kindling
