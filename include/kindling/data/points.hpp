#pragma once
/// What lies on a picture: points and boxes in its pixels, brought to [-1, 1] for a model and back for showing.

#include <kindling/data/transform.hpp>

namespace kindling {

/// What is given as points to Points: Numbers x, y, x, y …, a tensor n x 2, or Points. Each item must have as many points
/// as the training items; a model needs two outputs a point.
class ToPoints {
 public:
  static constexpr const char* name = "ToPoints";
  static constexpr int order = 0;
  /// `y_first`: numbers are given y, x, y, x …
  explicit ToPoints(bool y_first = false, int n_points = 0) : y_first_(y_first), n_points_(n_points) {}

  void setup(const std::vector<Value>& train_items);
  Points encodes(const Points& points) const;
  Points encodes(const Numbers& numbers) const;
  Points encodes(const torch::Tensor& tensor) const;
  int c() const { return 2 * n_points_; }
  Json to_json() const { return {{"y_first", y_first_}, {"n_points", n_points_}}; }
  static ToPoints from_json(const Json& json);

 private:
  Points points_of(const Value& value) const;
  bool y_first_;
  int n_points_;
};

/// What is given as boxes to BBoxes: Numbers left, top, right, bottom, …, a tensor n x 4, or BBoxes. Throws `bad_data` for a
/// box whose right lies left of its left, or whose bottom lies above its top.
struct ToBoxes {
  static constexpr const char* name = "ToBoxes";
  static constexpr int order = 0;
  BBoxes encodes(const BBoxes& boxes) const;
  BBoxes encodes(const Numbers& numbers) const;
  BBoxes encodes(const torch::Tensor& tensor) const;
};

/// Before any transform: points lie on their picture and a mask is as large as it. Throws `bad_data` naming what does
/// not. Boxes may reach over the border; they are clipped when a batch is made.
class FitsPicture {
 public:
  static constexpr const char* name = "FitsPicture";
  static constexpr int order = -100;
  /// `allow_outside`: points may lie outside.
  explicit FitsPicture(bool allow_outside = false) : allow_outside_(allow_outside) {}

  Points encodes(const Points& points, const ItemContext& context) const;
  Mask encodes(const Mask& mask, const ItemContext& context) const;
  bool deterministic(Split) const { return true; }
  Json to_json() const { return {{"allow_outside", allow_outside_}}; }
  static FitsPicture from_json(const Json& json) { return FitsPicture(json.at("allow_outside").get<bool>()); }

 private:
  bool allow_outside_;
};

/// After all item transforms: pixels of the item's first picture to [-1, 1] (fastai `PointScaler`); decoded, pixels again.
struct PointScaler {
  static constexpr const char* name = "PointScaler";
  static constexpr int order = 1000;
  TensorPoint encodes(const Points& points, const ItemContext& context) const;
  TensorBBox encodes(const BBoxes& boxes, const ItemContext& context) const;
  Points decodes(const TensorPoint& scaled, const ItemContext& context) const;
  BBoxes decodes(const TensorBBox& scaled, const ItemContext& context) const;
  bool deterministic(Split) const { return true; }
};

}  // namespace kindling
