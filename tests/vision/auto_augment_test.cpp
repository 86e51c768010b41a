// RandAugment's and TrivialAugmentWide's operations beside torchvision's.
#include <kindling/core/error.hpp>
#include <kindling/vision/auto_augment.hpp>

#include "golden.hpp"
#include "vision/drawn_picture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using testing::drawn;
using testing::golden;

namespace {

AutoAugmentOp op_of(const std::string& name) {
  for (int op = 0; op < 14; ++op) {
    if (name_of(static_cast<AutoAugmentOp>(op)) == name) return static_cast<AutoAugmentOp>(op);
  }
  ADD_FAILURE() << name;
  return AutoAugmentOp::identity;
}

/// "RGB", "L", or "RGB 100 140": colours pressed into that range.
Image picture_of(const std::string& kind, int width, int height) {
  int low = 0, high = 0;
  if (std::sscanf(kind.c_str(), "RGB %d %d", &low, &high) != 2) return drawn(kind, width, height);
  Image image = drawn("RGB", width, height);
  for (std::size_t i = 0; i < image.bytes(); ++i) {
    image.data()[i] = static_cast<std::uint8_t>(image.data()[i] * (high - low) / 255 + low);
  }
  return image;
}

}  // namespace

TEST(AutoAugment, EveryOperationEqualsTorchvisionsPixels) {
  const Json file = golden("vision/auto_augment.json");
  int compared = 0;
  for (const Json& c : file.at("cases")) {
    const Image source = picture_of(c[0].get<std::string>(), c[1].get<int>(), c[2].get<int>());
    const Image result =
        auto_augment(source, {op_of(c[3].get<std::string>()), c[4].get<double>()}, {}, c[5].get<int>());
    EXPECT_EQ(sha256_of(std::span(result.data(), result.bytes())).substr(0, 16), c[6].get<std::string>()) << c;
    ++compared;
  }
  EXPECT_GE(compared, 400);
}

TEST(AutoAugment, MagnitudesEqualTorchvisions) {
  const Json tables = golden("vision/auto_augment.json").at("magnitudes");
  const RandAugment rand;
  const TrivialAugmentWide wide;
  for (const auto& [name, values] : tables.at("RandAugment").items()) {
    EXPECT_EQ(rand.magnitudes(op_of(name), {50, 33}), values.get<std::vector<double>>()) << name;
  }
  for (const auto& [name, values] : tables.at("TrivialAugmentWide").items()) {
    EXPECT_EQ(wide.magnitudes(op_of(name)), values.get<std::vector<double>>()) << name;
  }
}

TEST(AutoAugment, MasksPointsAndBoxesFollowTheMovements) {
  const Size size{60, 40};
  Image image(size, 3);
  std::memset(image.data(), 0, image.bytes());
  Mask mask{Image(size, 1)};
  std::memset(mask.image.data(), 0, mask.image.bytes());
  for (int y = 18; y < 23; ++y) {
    std::memset(image.row(y) + 3 * 28, 255, 15);
    std::memset(mask.image.row(y) + 28, 3, 5);
  }
  using Op = AutoAugmentOp;
  const AutoAugmentDraw draws[] = {{Op::shear_x, 0.3}, {Op::shear_y, -0.2}, {Op::translate_x, -9.7},
                                   {Op::translate_y, 6}, {Op::rotate, 33},    {Op::rotate, 180}};
  for (const AutoAugmentDraw& draw : draws) {
    const Image moved = auto_augment(image, draw);
    const Mask moved_mask = auto_augment(mask, draw);
    const Point point = auto_augment(Points{{{30.5f, 20.5f}}}, draw, size).points[0];
    const BBox box = auto_augment(BBoxes{{{30, 20, 31, 21}}}, draw, size).boxes[0];
    EXPECT_LE(box.left, point.x);
    EXPECT_GE(box.bottom, point.y);
    const int x = static_cast<int>(point.x), y = static_cast<int>(point.y);
    EXPECT_EQ(moved.row(y)[3 * x], 255) << name_of(draw.op);
    EXPECT_EQ(moved_mask.image.row(y)[x], 3) << name_of(draw.op);
  }
  // What moves nothing leaves classes alone.
  EXPECT_EQ(auto_augment(mask, {Op::solarize, 0}).image.row(20)[30], 3);
}

TEST(AutoAugment, JsonMakesTheSameTransform) {
  const RandAugment rand({.num_ops = 3, .magnitude = 5, .num_magnitude_bins = 11, .fill = 9});
  EXPECT_EQ(RandAugment::from_json(rand.to_json()).to_json(), rand.to_json());
  const TrivialAugmentWide wide({.num_magnitude_bins = 5, .fill = 1});
  EXPECT_EQ(TrivialAugmentWide::from_json(wide.to_json()).to_json(), wide.to_json());
  EXPECT_THROW(RandAugment({.magnitude = 31}), Error);
  EXPECT_THROW(TrivialAugmentWide({.num_magnitude_bins = 1}), Error);
}

}  // namespace kindling
