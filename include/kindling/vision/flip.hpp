#pragma once
/// Mirrors and quarter turns of single items: fastai's `FlipItem` and `DihedralItem`. Both act before `Resize`, in
/// training only, on pictures, masks, points and boxes (in pixels).

#include <kindling/vision/cut.hpp>

namespace kindling {

/// One of the eight ways to lay a picture on its square, as fastai numbers them: 0 as it is, 1 mirrored left to right, 2
/// top to bottom, 3 turned by 90 degrees anticlockwise, 4 by 180, 5 by 270, 6 mirrored on the main diagonal, 7 on the
/// other. `picture` is the size before, which points and boxes do not know of themselves. Throws `usage` for others.
Image dihedral(const Image& image, int k, Size picture = {});
Mask dihedral(const Mask& mask, int k, Size picture = {});
Points dihedral(const Points& points, int k, Size picture);
BBoxes dihedral(const BBoxes& boxes, int k, Size picture);

/// Mirrored left to right with probability `p`.
class FlipItem {
 public:
  static constexpr const char* name = "FlipItem";
  static constexpr int order = 0;
  static constexpr Split only_on = Split::train;
  explicit FlipItem(double p = 0.5);

  template <MovesWithPicture Kind>
  Kind encodes(const Kind& member, const ItemContext& context) const {
    return dihedral(member, draw(context), picture_size(member, context));
  }
  /// 1 where this item is mirrored, else 0.
  int draw(const ItemContext& context) const;
  Json to_json() const { return {{"p", p_}}; }
  static FlipItem from_json(const Json& json) { return FlipItem(json.at("p").get<double>()); }

 private:
  double p_;
};

/// One of the eight, all equally likely, with probability `p`.
class DihedralItem {
 public:
  static constexpr const char* name = "DihedralItem";
  static constexpr int order = 0;
  static constexpr Split only_on = Split::train;
  explicit DihedralItem(double p = 1);

  template <MovesWithPicture Kind>
  Kind encodes(const Kind& member, const ItemContext& context) const {
    return dihedral(member, draw(context), picture_size(member, context));
  }
  /// Which of the eight this item gets.
  int draw(const ItemContext& context) const;
  Json to_json() const { return {{"p", p_}}; }
  static DihedralItem from_json(const Json& json) { return DihedralItem(json.at("p").get<double>()); }

 private:
  double p_;
};

}  // namespace kindling
