// Item transforms on pictures, masks, points and boxes, beside fastai's.
#include <kindling/core/error.hpp>
#include <kindling/vision/crop.hpp>
#include <kindling/vision/flip.hpp>
#include <kindling/vision/resize.hpp>

#include "golden.hpp"
#include "vision/drawn_picture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using testing::drawn;
using testing::golden;

namespace {

CropDraws python_draws(PythonRandom& random) {
  return {.uniform = [&random](double a, double b) { return random.uniform(a, b); },
          .integer = [&random](std::int64_t a, std::int64_t b) { return random.randint(a, b); }};
}

Size size_setting(const Json& settings) {
  return {settings.at("size").at(1).get<int>(), settings.at("size").at(0).get<int>()};
}

/// The cuts, one after another, that our transform makes where fastai's was given this case.
std::vector<Cut> cuts_of(const Json& c) {
  const Json& settings = c.at("settings");
  const auto name = c.at("transform").get<std::string>();
  const Size source{c.at("size").at(0).get<int>(), c.at("size").at(1).get<int>()};
  const bool train = c.at("split") == 0;
  PythonRandom random(c.at("seed").get<std::uint64_t>());
  if (name == "RandomResizedCrop") {
    RandomResizedCropOptions options;
    options.min_scale = settings.value("min_scale", options.min_scale);
    options.max_scale = settings.value("max_scale", options.max_scale);
    options.ratio = settings.value("ratio", options.ratio);
    options.val_xtra = settings.value("val_xtra", options.val_xtra);
    const RandomResizedCrop crop(size_setting(settings), options);
    if (train) return {crop.train_cut(source, python_draws(random))};
    const Cut squish = crop.valid_squish(source);
    return {squish, crop.middle(squish.to)};
  }
  if (name == "RandomCrop") {
    const RandomCrop crop(size_setting(settings));
    return {train ? crop.train_cut(source, python_draws(random)) : crop.cut(source, {.split = Split::valid})};
  }
  if (name == "CropPad") {
    return {CropPad(size_setting(settings), pad_mode_from(settings.at("pad_mode").get<std::string>())).cut(source)};
  }
  if (name == "RatioResize") {
    const Size to = RatioResize(settings.at("max_sz").get<int>()).size_for(source);
    const double px = random.random(), py = random.random();
    return {Resize(to).cut(source, px, py)};
  }
  return {};
}

template <class Kind>
Kind through(const std::vector<Cut>& cuts, Kind member) {
  for (const Cut& cut : cuts) member = cut.apply(member);
  return member;
}

void expect_points(const Json& points, const std::vector<Cut>& cuts) {
  Points before;
  for (const Json& p : points.at("before")) before.points.push_back({p[0].get<float>(), p[1].get<float>()});
  const Points after = through(cuts, before);
  for (std::size_t i = 0; i < after.points.size(); ++i) {
    EXPECT_NEAR(after.points[i].x, points.at("after")[i][0].get<double>(), 1e-3);
    EXPECT_NEAR(after.points[i].y, points.at("after")[i][1].get<double>(), 1e-3);
  }
}

ItemContext train_item(std::int64_t item, Size picture) {
  return {.split = Split::train, .seed = 3, .item = item, .transform = 1, .image_size = picture};
}

/// A black picture with one white pixel block, and everything else that says where it is.
struct Marked {
  Image image;
  Mask mask;
  Points points;
  BBoxes boxes;
};

Marked marked(Size size, int x, int y, int side) {
  Marked m{Image(size, 3), {Image(size, 1)}, {}, {}};
  std::memset(m.image.data(), 0, m.image.bytes());
  std::memset(m.mask.image.data(), 0, m.mask.image.bytes());
  for (int row = y; row < y + side; ++row) {
    std::memset(m.image.row(row) + 3 * x, 255, 3 * static_cast<std::size_t>(side));
    std::memset(m.mask.image.row(row) + x, 7, static_cast<std::size_t>(side));
  }
  const auto left = static_cast<float>(x), top = static_cast<float>(y), s = static_cast<float>(side);
  m.points.points = {{left + s / 2, top + s / 2}};
  m.boxes.boxes = {{left, top, left + s, top + s}};
  return m;
}

/// The middle of all pixels that are not black; nothing where there are none, or where they touch the edge.
std::optional<Point> middle_of_mark(const Image& image) {
  double sum = 0, sum_x = 0, sum_y = 0;
  for (int y = 0; y < image.height(); ++y) {
    for (int x = 0; x < image.width(); ++x) {
      const double value = image.row(y)[x * image.channels()];
      if (value > 0 && (x == 0 || y == 0 || x + 1 == image.width() || y + 1 == image.height())) return {};
      sum += value, sum_x += value * (x + 0.5), sum_y += value * (y + 0.5);
    }
  }
  if (sum == 0) return {};
  return Point{static_cast<float>(sum_x / sum), static_cast<float>(sum_y / sum)};
}

template <class Tfm>
void expect_mark_followed(const Tfm& tfm, float tolerance, int least) {
  const Size size{90, 60};
  int followed = 0;
  for (std::int64_t item = 0; item < 60; ++item) {
    const Marked before = marked(size, 30 + static_cast<int>(item % 3) * 9, 20 + static_cast<int>(item % 5) * 3, 12);
    const ItemContext context = train_item(item, size);
    const auto in_image = middle_of_mark(tfm.encodes(before.image, context));
    const auto in_mask = middle_of_mark(tfm.encodes(before.mask, context).image);
    if (!in_image || !in_mask) continue;
    ++followed;
    const Point point = tfm.encodes(before.points, context).points.at(0);
    const BBox box = tfm.encodes(before.boxes, context).boxes.at(0);
    for (const Point& seen : {*in_image, *in_mask, Point{(box.left + box.right) / 2, (box.top + box.bottom) / 2}}) {
      EXPECT_NEAR(point.x, seen.x, tolerance) << "item " << item;
      EXPECT_NEAR(point.y, seen.y, tolerance) << "item " << item;
    }
    EXPECT_LT(box.left, box.right);
    EXPECT_LT(box.top, box.bottom);
  }
  EXPECT_GE(followed, least);
}

}  // namespace

TEST(ItemTransforms, EveryGoldenCaseEqualsFastaisPixelsWithPythonsDraws) {
  const Json file = golden("vision/augment_items.json");
  int compared = 0;
  for (const Json& c : file.at("cases")) {
    const auto name = c.at("transform").get<std::string>(), kind = c.at("kind").get<std::string>();
    const Image source = drawn(kind, c.at("size").at(0).get<int>(), c.at("size").at(1).get<int>());
    Image result;
    if (name == "dihedral" || name == "FlipItem") {
      result = dihedral(source, c.value("k", 1));
    } else {
      const auto cuts = cuts_of(c);
      ASSERT_FALSE(cuts.empty()) << c;
      result = kind == "mask" ? through(cuts, Mask{source}).image : through(cuts, source);
      if (c.contains("tl") && c.at("split") == 0) {
        EXPECT_EQ((Json{cuts[0].left, cuts[0].top}), c.at("tl")) << c;
      }
      if (c.contains("cut") && c.at("split") == 0) {
        EXPECT_EQ((Json{cuts[0].size.width, cuts[0].size.height}), c.at("cut")) << c;
      }
      if (c.contains("points")) expect_points(c.at("points"), cuts);
    }
    EXPECT_EQ((Json{result.width(), result.height()}), c.at("result")) << c;
    EXPECT_EQ(sha256_of(std::span(result.data(), result.bytes())), c.at("sha256").get<std::string>()) << c;
    ++compared;
  }
  EXPECT_GE(compared, 140);
}

TEST(ItemTransforms, AMarkIsFoundWhereItsMaskPointAndBoxAre) {
  expect_mark_followed(Resize(50), 0.6f, 20);
  expect_mark_followed(Resize(50, {.method = ResizeMethod::pad, .pad_mode = PadMode::zeros}), 0.6f, 50);
  expect_mark_followed(Resize(Size{70, 30}, {.method = ResizeMethod::squish}), 0.6f, 50);
  expect_mark_followed(RatioResize(64), 0.6f, 50);
  expect_mark_followed(RandomResizedCrop(64), 2.6f, 8);
  expect_mark_followed(RandomCrop(Size{70, 50}), 1e-3f, 20);
  expect_mark_followed(CropPad(Size{100, 40}), 1e-3f, 20);
  expect_mark_followed(FlipItem(), 1e-3f, 60);
  expect_mark_followed(DihedralItem(), 1e-3f, 60);
}

TEST(ItemTransforms, ValidationTakesTheMiddleAndNeverFlips) {
  const Image source = drawn("RGB", 90, 60);
  const ItemContext valid{.split = Split::valid, .image_size = {90, 60}};
  EXPECT_EQ(RandomCrop(40).cut({90, 60}, valid), (Cut{.left = 25, .top = 10, .size = {40, 40}, .to = {40, 40}}));
  EXPECT_EQ(RandomResizedCrop(224).valid_squish({90, 60}).to, (Size{256, 256}));
  EXPECT_EQ(RandomResizedCrop(128).valid_squish({90, 60}).to, (Size{152, 152}));
  for (const Transform& flip : {Transform(FlipItem(1)), Transform(DihedralItem())}) {
    const Image same = std::get<Image>(flip.encode(source, valid));
    EXPECT_EQ(std::memcmp(same.data(), source.data(), source.bytes()), 0);
  }
}

TEST(ItemTransforms, AMaskOfAnotherSizeAndPointsWithoutAPictureAreNamed) {
  const ItemContext context{.split = Split::train, .image_size = {90, 60}};
  try {
    Resize(20).encodes(Mask{drawn("mask", 45, 30)}, context);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_data);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("the mask has another size than its picture (mask: 45x30, picture: 90x60)"));
  }
  EXPECT_THROW(FlipItem(1).encodes(Points{{{1, 2}}}, {.split = Split::train}), Error);
}

TEST(ItemTransforms, ARowOfPixelsIsNotPaddedToASquareOfGigabytes) {
  try {
    Resize(64, {.method = ResizeMethod::pad}).encodes(drawn("L", 60000, 1), {.split = Split::valid});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::limit);
    EXPECT_THAT(e.hint(), ::testing::HasSubstr("crop or squish"));
  }
}

TEST(ItemTransforms, WhatIsEqualInEveryEpochSaysSo) {
  for (const Transform& t : {Transform(RandomResizedCrop(8)), Transform(RandomCrop(8)), Transform(RatioResize(8))}) {
    EXPECT_TRUE(t.deterministic(Split::valid)) << t.name();
    EXPECT_FALSE(t.deterministic(Split::train)) << t.name();
  }
  EXPECT_TRUE(Transform(CropPad(8)).deterministic(Split::train));
  EXPECT_FALSE(Transform(FlipItem()).deterministic(Split::train));
  EXPECT_TRUE(Transform(FlipItem()).deterministic(Split::valid));
}

TEST(RandomResizedCrop, ReducedDecodingLeavesTheSmallestCropTwiceTheTarget) {
  EXPECT_EQ(RandomResizedCrop(224).reduction({4000, 3000}), 1);
  const RandomResizedCrop half(100, {.min_scale = 0.25, .ratio = {1, 1}});
  EXPECT_EQ(half.reduction({799, 799}), 1);
  EXPECT_EQ(half.reduction({800, 800}), 2);
  EXPECT_EQ(half.reduction({1600, 1600}), 4);
  EXPECT_EQ(RatioResize(100).reduction({400, 30}), 2);
  EXPECT_EQ(Transform(RandomCrop(10)).reduction({4000, 4000}), 1);
}

TEST(ItemTransforms, JsonMakesTheSameTransformAndSettingsThatCannotBeAreNamed) {
  const RandomResizedCrop crop(Size{30, 20}, {.min_scale = 0.3, .max_scale = 0.9, .ratio = {0.5, 2}, .val_xtra = 0.2});
  EXPECT_EQ(RandomResizedCrop::from_json(crop.to_json()).to_json(), crop.to_json());
  EXPECT_EQ(RandomCrop::from_json(RandomCrop(7).to_json()).to_json(), RandomCrop(7).to_json());
  const CropPad pad(Size{5, 6}, PadMode::border);
  EXPECT_EQ(CropPad::from_json(pad.to_json()).to_json(), pad.to_json());
  EXPECT_EQ(RatioResize::from_json(RatioResize(9).to_json()).to_json(), RatioResize(9).to_json());
  EXPECT_EQ(FlipItem::from_json(FlipItem(0.3).to_json()).to_json(), FlipItem(0.3).to_json());
  EXPECT_EQ(DihedralItem::from_json(DihedralItem(0.3).to_json()).to_json(), DihedralItem(0.3).to_json());
  try {
    RandomResizedCrop(224, {.min_scale = 0});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.message(), ::testing::HasSubstr("RandomResizedCrop needs 0 < min_scale"));
  }
  EXPECT_THROW(FlipItem(1.5), Error);
  EXPECT_THROW(RandomCrop(0), Error);
  EXPECT_THROW(dihedral(drawn("L", 3, 3), 8), Error);
}

}  // namespace kindling
