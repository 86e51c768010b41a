#include <kindling/core/error.hpp>
#include <kindling/data/block.hpp>
#include <kindling/data/normalize.hpp>
#include <kindling/train/export.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

namespace kindling {

using ::testing::ElementsAre;

namespace {

Image photo(int width, int height) {
  Image image({width, height}, 3);
  std::fill_n(image.data(), image.bytes(), std::uint8_t{9});
  return image;
}

/// Cuts the left and the upper half away: pixels move by half of the photo.
struct LowerRight {
  static constexpr const char* name = "LowerRight";
  Image encodes(const Image& image) const { return photo(image.width() / 2, image.height() / 2); }
  Points encodes(const Points& points, const ItemContext& context) const {
    Points moved = points;
    for (Point& p : moved.points) {
      p.x -= static_cast<float>(context.image_size.width) / 2;
      p.y -= static_cast<float>(context.image_size.height) / 2;
    }
    return moved;
  }
};

Pipeline pipeline_of(const Block& block, const Value& target) {
  Pipeline p{.blocks = {{}, block.type_tfms}, .item_tfms = block.item_tfms, .target = block.target};
  p.setup({{photo(4, 4), target}});
  return p;
}

}  // namespace

TEST(Prediction, OfOneClassIsItsName) {
  const Pipeline p = pipeline_of(CategoryBlock({.vocab = {"cat", "dog"}}), Category{"cat"});
  const auto [label, index, probs] = to_prediction(p, CrossEntropyLossFlat(), torch::tensor({0.2f, 0.8f}));
  EXPECT_EQ(label, "dog");
  EXPECT_EQ(index, 1);
  EXPECT_FLOAT_EQ(probs[1].item<float>(), 0.8f);
}

TEST(Prediction, OfSeveralClassesIsWhatIsAboveOneHalf) {
  const Pipeline p = pipeline_of(MultiCategoryBlock({.vocab = {"sky", "sea", "car"}}), Categories{{"sky"}});
  const Prediction said = to_prediction(p, BCEWithLogitsLossFlat(), torch::tensor({0.7f, 0.5f, 0.9f}));
  EXPECT_EQ(said.label, "sky;car");
  EXPECT_EQ(said.index, 2);
  EXPECT_EQ(said.probs.numel(), 3);
  EXPECT_THAT(std::get<Categories>(said.value).names, ElementsAre("sky", "car"));
  EXPECT_EQ(to_prediction(p, BCEWithLogitsLossFlat(), torch::tensor({0.1f, 0.1f, 0.2f})).label, "");
  EXPECT_THROW(to_prediction(p, BCEWithLogitsLossFlat(), torch::tensor({0.1f})), Error);
}

TEST(Prediction, OfNumbersIsTheNumbers) {
  const Prediction one =
      to_prediction(pipeline_of(RegressionBlock(), Number{1}), MSELossFlat(), torch::tensor({2.5f}));
  EXPECT_EQ(one.label, "2.5");
  EXPECT_EQ(std::get<Number>(one.value).value, 2.5);
  const Prediction two = to_prediction(pipeline_of(RegressionBlock(), Numbers{{1, 2}}), MSELossFlat(),
                                       torch::tensor({2.5f, -1.f}));
  EXPECT_EQ(two.label, "2.5, -1");
  EXPECT_THAT(std::get<Numbers>(two.value).values, ElementsAre(2.5, -1));
}

TEST(Prediction, OfPointsIsInPixelsOfTheGivenPhoto) {
  Pipeline p = pipeline_of(PointBlock(), Points{{{1, 1}, {2, 2}}});
  p.item_tfms.insert(p.item_tfms.begin() + 1, LowerRight{});
  const auto said = torch::tensor({-1.f, -1.f, 0.5f, 1.f});
  const Prediction scaled = to_prediction(p, MSELossFlat(), said);
  EXPECT_THAT(std::get<Points>(scaled.value).points, ElementsAre(Point{-1, -1}, Point{0.5, 1}));
  const Prediction pixels = to_prediction(p, MSELossFlat(), said, photo(400, 80));
  const auto points = std::get<Points>(pixels.value).points;
  EXPECT_NEAR(points[0].x, 200, 1e-3);
  EXPECT_NEAR(points[0].y, 40, 1e-3);
  EXPECT_NEAR(points[1].x, 350, 1e-3);
  EXPECT_NEAR(points[1].y, 80, 1e-3);
  EXPECT_EQ(pixels.probs.sizes(), (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(pixels.label, "(200, 40), (350, 80)");
}

TEST(Prediction, OfOtherTargetsIsTheModelsTensor) {
  const Pipeline p{.blocks = {{}, {}}, .target = TargetKind::boxes};
  const Prediction said = to_prediction(p, MSELossFlat(), torch::tensor({0.f, 0.f, 1.f, 1.f}));
  EXPECT_EQ(std::get<torch::Tensor>(said.value).numel(), 4);
}

}  // namespace kindling
