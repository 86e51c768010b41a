#include <kindling/core/error.hpp>
#include <kindling/data/points.hpp>

#include <cmath>

#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

std::string in_words(const BBox& b) {
  return fmt::format("left {:g}, top {:g}, right {:g}, bottom {:g}", b.left, b.top, b.right, b.bottom);
}

/// `width` numbers a row, as float.
std::vector<float> rows_of_numbers(const torch::Tensor& tensor, std::size_t width, const char* what) {
  const auto values = tensor.to(torch::kCPU, torch::kFloat32).contiguous();
  if (values.numel() % static_cast<std::int64_t>(width) != 0) {
    throw Error(ErrorCode::bad_data, fmt::format("{} are {} numbers each", what, width),
                {{"got", describe(Value(tensor))}});
  }
  const auto* begin = values.const_data_ptr<float>();
  return {begin, begin + values.numel()};
}

std::vector<float> rows_of_numbers(const Numbers& numbers, std::size_t width, const char* what) {
  if (numbers.values.size() % width != 0) {
    throw Error(ErrorCode::bad_data, fmt::format("{} are {} numbers each", what, width),
                {{"numbers", numbers.values.size()}});
  }
  return {numbers.values.begin(), numbers.values.end()};
}

Points points_from(const std::vector<float>& numbers, bool y_first) {
  Points points;
  for (std::size_t i = 0; i + 1 < numbers.size(); i += 2)
    points.points.push_back({numbers[i + (y_first ? 1 : 0)], numbers[i + (y_first ? 0 : 1)]});
  return points;
}

BBoxes boxes_from(const std::vector<float>& numbers) {
  BBoxes boxes;
  for (std::size_t i = 0; i + 3 < numbers.size(); i += 4)
    boxes.boxes.push_back({numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3]});
  return boxes;
}

void check_picture(const ItemContext& context) {
  if (context.image_size.width > 0) return;
  throw Error(ErrorCode::usage, "points and boxes lie on a picture, and this item has none", {},
              "let an ImageBlock come first in .blocks");
}

/// float32 of pixels, computed in double as the reference does after its own conversion.
float scaled(float pixel, int side) {
  return static_cast<float>(static_cast<double>(pixel) * 2 / side - 1);
}
float unscaled(float place, int side) {
  return static_cast<float>((static_cast<double>(place) + 1) * side / 2);
}

}  // namespace

Points ToPoints::points_of(const Value& value) const {
  if (const auto* points = std::get_if<Points>(&value)) return *points;
  if (const auto* numbers = std::get_if<Numbers>(&value))
    return points_from(rows_of_numbers(*numbers, 2, "points"), y_first_);
  if (const auto tensor = tensor_of(value); tensor.defined())
    return points_from(rows_of_numbers(tensor, 2, "points"), y_first_);
  throw Error(ErrorCode::bad_data, "points are expected, and these are none", {{"value", describe(value)}},
              "let get_y give points, or a ColReader of the columns x0, y0, x1, y1 …");
}

void ToPoints::setup(const std::vector<Value>& train_items) {
  if (n_points_ == 0 && !train_items.empty())
    n_points_ = static_cast<int>(points_of(train_items.front()).points.size());
}

Points ToPoints::encodes(const Points& points) const {
  for (const Point& point : points.points) {
    if (!std::isfinite(point.x) || !std::isfinite(point.y))
      throw Error(ErrorCode::bad_data, "a point is no finite number", {}, "correct it, or leave the item out");
  }
  if (n_points_ == 0 || points.points.size() == static_cast<std::size_t>(n_points_)) return points;
  throw Error(ErrorCode::bad_data, "an item has another count of points than the others",
              {{"expected", n_points_}, {"got", points.points.size()}}, "give every item the same points");
}

Points ToPoints::encodes(const Numbers& numbers) const {
  return encodes(points_of(numbers));
}

Points ToPoints::encodes(const torch::Tensor& tensor) const {
  return encodes(points_of(tensor));
}

ToPoints ToPoints::from_json(const Json& json) {
  return ToPoints(json.at("y_first").get<bool>(), json.at("n_points").get<int>());
}

BBoxes ToBoxes::encodes(const BBoxes& boxes) const {
  for (std::size_t i = 0; i < boxes.boxes.size(); ++i) {
    const BBox& b = boxes.boxes[i];
    // Not (a <= b), so that NaN is refused too.
    if (b.left <= b.right && b.top <= b.bottom) continue;
    throw Error(ErrorCode::bad_data, "a box is inverted", {{"box", i}, {"got", in_words(b)}},
                "give left, top, right and bottom in pixels; not a corner with width and height, and not y before x");
  }
  return boxes;
}

BBoxes ToBoxes::encodes(const Numbers& numbers) const {
  return encodes(boxes_from(rows_of_numbers(numbers, 4, "boxes")));
}

BBoxes ToBoxes::encodes(const torch::Tensor& tensor) const {
  return encodes(boxes_from(rows_of_numbers(tensor, 4, "boxes")));
}

Points FitsPicture::encodes(const Points& points, const ItemContext& context) const {
  check_picture(context);
  const Size size = context.image_size;
  for (std::size_t i = 0; i < points.points.size() && !allow_outside_; ++i) {
    const Point& p = points.points[i];
    if (p.x >= 0 && p.y >= 0 && p.x <= static_cast<float>(size.width) && p.y <= static_cast<float>(size.height))
      continue;
    throw Error(ErrorCode::bad_data, "a point lies outside of its picture",
                {{"point", i},
                 {"at", fmt::format("x {:g}, y {:g}", p.x, p.y)},
                 {"picture", fmt::format("{} x {}", size.width, size.height)}},
                "points are x and y in pixels of the picture as it is stored upright; say .y_first = true where y comes "
                "first, or .allow_outside = true where it is meant");
  }
  return points;
}

Mask FitsPicture::encodes(const Mask& mask, const ItemContext& context) const {
  const Size size = context.image_size;
  if (size.width == 0 || mask.image.size() == size) return mask;
  throw Error(ErrorCode::bad_data, "the mask is of another size than its picture",
              {{"mask", fmt::format("{} x {}", mask.image.width(), mask.image.height())},
               {"picture", fmt::format("{} x {}", size.width, size.height)}},
              "give each picture a mask of its size; where the picture is turned by its EXIF orientation and the mask is "
              "not, say .exif_orientation = false");
}

TensorPoint PointScaler::encodes(const Points& points, const ItemContext& context) const {
  check_picture(context);
  auto tensor = torch::empty({static_cast<std::int64_t>(points.points.size()), 2});
  auto* out = tensor.data_ptr<float>();
  for (const Point& p : points.points) {
    *out++ = scaled(p.x, context.image_size.width);
    *out++ = scaled(p.y, context.image_size.height);
  }
  return {tensor};
}

TensorBBox PointScaler::encodes(const BBoxes& boxes, const ItemContext& context) const {
  check_picture(context);
  const auto [width, height] = context.image_size;
  auto tensor = torch::empty({static_cast<std::int64_t>(boxes.boxes.size()), 4});
  auto* out = tensor.data_ptr<float>();
  for (const BBox& b : boxes.boxes) {
    *out++ = scaled(b.left, width);
    *out++ = scaled(b.top, height);
    *out++ = scaled(b.right, width);
    *out++ = scaled(b.bottom, height);
  }
  return {tensor};
}

Points PointScaler::decodes(const TensorPoint& scaled, const ItemContext& context) const {
  Points points = points_from(rows_of_numbers(scaled.tensor, 2, "points"), false);
  for (Point& p : points.points)
    p = {unscaled(p.x, context.image_size.width), unscaled(p.y, context.image_size.height)};
  return points;
}

BBoxes PointScaler::decodes(const TensorBBox& scaled, const ItemContext& context) const {
  const auto [width, height] = context.image_size;
  BBoxes boxes = boxes_from(rows_of_numbers(scaled.tensor, 4, "boxes"));
  for (BBox& b : boxes.boxes) {
    b = {unscaled(b.left, width), unscaled(b.top, height), unscaled(b.right, width), unscaled(b.bottom, height)};
  }
  return boxes;
}

}  // namespace kindling
