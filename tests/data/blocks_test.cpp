#include <kindling/core/error.hpp>
#include <kindling/data/block.hpp>
#include <kindling/data/datablock.hpp>
#include <kindling/data/mask_codes.hpp>
#include <kindling/data/normalize.hpp>
#include <kindling/data/points.hpp>
#include <kindling/data/regression.hpp>

#include "golden.hpp"
#include "error_in.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

namespace kindling {

using ::testing::ElementsAre;
using testing::golden;
using ::testing::HasSubstr;

namespace {

using kindling::testing::error_in;

using Names = std::vector<std::string>;
using Indices = std::vector<std::int64_t>;

Image photo(int width, int height, std::uint8_t value = 100) {
  Image image({width, height}, 3);
  std::fill_n(image.data(), image.bytes(), value);
  return image;
}

Mask mask_of(Size size, std::uint8_t value) {
  Image image(size, 1);
  std::fill_n(image.data(), image.bytes(), value);
  return {image};
}

std::vector<std::vector<float>> rows_of(const torch::Tensor& t) {
  std::vector<std::vector<float>> rows;
  for (std::int64_t i = 0; i < t.size(0); ++i) {
    rows.emplace_back();
    for (std::int64_t k = 0; k < t.size(1); ++k) rows.back().push_back(t[i][k].item<float>());
  }
  return rows;
}

void expect_near(const std::vector<std::vector<float>>& ours, const Json& theirs, double tolerance) {
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    ASSERT_EQ(ours[i].size(), theirs[i].size());
    for (std::size_t k = 0; k < ours[i].size(); ++k)
      EXPECT_NEAR(ours[i][k], theirs[i][k].get<float>(), tolerance);
  }
}

Points points_of(const Json& json) {
  Points points;
  for (const Json& p : json) points.points.push_back({p[0].get<float>(), p[1].get<float>()});
  return points;
}

BBoxes boxes_of(const Json& json) {
  BBoxes boxes;
  for (const Json& b : json)
    boxes.boxes.push_back({b[0].get<float>(), b[1].get<float>(), b[2].get<float>(), b[3].get<float>()});
  return boxes;
}

/// Items of a picture and one more member, all encoded by a block's type and item transforms.
Pipeline pipeline_of(const Block& block, const std::vector<Values>& train) {
  Pipeline p{.blocks = {{}, block.type_tfms}, .item_tfms = block.item_tfms, .target = block.target};
  p.batch_tfms = merge_transforms({IntToFloatTensor{}}, block.batch_tfms);
  p.setup(train);
  return p;
}

}  // namespace

TEST(MultiCategorize, EqualsFastais) {
  const Json file = golden("data/blocks.json").at("categories");
  for (const Json& c : file.at("multi")) {
    const Json& s = c.at("settings");
    const Block block =
        MultiCategoryBlock({.vocab = s.value("vocab", Names()), .add_na = s.value("add_na", false)});
    std::vector<Values> items;
    for (const Json& labels : c.at("items")) items.push_back({photo(2, 2), Categories{labels.get<Names>()}});
    const Pipeline p = pipeline_of(block, items);
    EXPECT_EQ(p.vocab(), c.at("vocab").get<Names>());
    EXPECT_EQ(p.c(), c.at("c").get<int>());
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Values encoded = p.encode_item(items[i], {});
      const auto one_hot = std::get<TensorMultiCategory>(encoded[1]).tensor;
      EXPECT_EQ(one_hot.scalar_type(), torch::kFloat32);
      const auto expected = torch::tensor(c.at("one_hot")[i].get<std::vector<float>>());
      EXPECT_TRUE(torch::equal(one_hot, expected)) << i;
      EXPECT_EQ(std::get<Categories>(p.decode_item(encoded)[1]).names, c.at("decoded")[i].get<Names>());
    }
  }
}

TEST(MultiCategorize, AllUnknownLabelsAreNamed) {
  const MultiCategorize m({.vocab = {"sky", "sea"}});
  const Error e = error_in([&] { m.encodes(Categories{{"sky", "car", "sae"}}); });
  EXPECT_EQ(e.message(), "labels 'car', 'sae' were not included in the training data");
  EXPECT_EQ(e.fact("known labels"), "'sky', 'sea'");
  EXPECT_EQ(error_in([&] { m.encodes(Categories{{"sky", ""}}); }).message(), "the label is empty");
  EXPECT_THAT(MultiCategorize({.vocab = {"sky"}, .add_na = true}).encodes(Categories{{"car", "sky"}}).indices,
              ElementsAre(0, 1));
}

TEST(MultiCategoryBlock, EncodedLabelsAreOnesAndZeros) {
  const Block block = MultiCategoryBlock({.encoded = true, .vocab = {"sky", "sea", "car"}});
  const Pipeline p = pipeline_of(block, {{photo(2, 2), Numbers{{1, 0, 1}}}});
  EXPECT_EQ(p.c(), 3);
  const Values item = p.encode_item({photo(2, 2), Numbers{{1, 0, 1}}}, {});
  EXPECT_TRUE(torch::equal(std::get<TensorMultiCategory>(item[1]).tensor, torch::tensor({1.f, 0.f, 1.f})));
  EXPECT_THAT(std::get<Categories>(p.decode_item(item)[1]).names, ElementsAre("sky", "car"));
  EXPECT_EQ(error_in([&] { p.encode_item({photo(2, 2), Numbers{{1, 2, 1}}}, {}); }).fact("class"), "sea");
  EXPECT_THAT(error_in([&] { p.encode_item({photo(2, 2), Numbers{{1, 0}}}, {}); }).message(),
              HasSubstr("a one or a zero for each class"));
  EXPECT_THROW(MultiCategoryBlock({.encoded = true}), Error);
}

TEST(Categorize, NumbersAreClassesSortedAsNumbers) {
  const Json c = golden("data/blocks.json").at("categories").at("numbers");
  std::vector<Value> items;
  for (const Json& n : c.at("items")) items.push_back(Number{n.get<double>()});
  Categorize categorize;
  categorize.setup(items);
  EXPECT_EQ(categorize.vocab(), c.at("vocab").get<Names>());
  EXPECT_EQ(categorize.encodes(Number{10}).index, 2);
}

TEST(Categorize, AnEmptyLabelIsNamedAsSuch) {
  const Categorize c({.vocab = {"cat"}});
  EXPECT_EQ(error_in([&] { c.encodes(Category{""}); }).message(), "the label is empty");
  EXPECT_EQ(error_in([&] { c.encodes(std::monostate{}); }).message(), "the label is empty");
  EXPECT_EQ(Categorize({.vocab = {"cat"}, .add_na = true}).encodes(std::monostate{}).index, 0);
}

TEST(RegressionBlock, OneNumberStaysOneAndSeveralBecomeATensor) {
  const Pipeline one = pipeline_of(RegressionBlock(), {{photo(2, 2), Number{1}}});
  EXPECT_EQ(one.c(), 1);
  EXPECT_EQ(std::get<Number>(one.encode_item({photo(2, 2), Category{"2.5"}}, {})[1]).value, 2.5);
  const Pipeline three = pipeline_of(RegressionBlock(), {{photo(2, 2), Numbers{{1, 2, 3}}}});
  EXPECT_EQ(three.c(), 3);
  const Values batch = collate({three.encode_item({photo(2, 2), Numbers{{1, 2, 3}}}, {}),
                                three.encode_item({photo(2, 2), Numbers{{4, 5, 6}}}, {})});
  EXPECT_EQ(std::get<torch::Tensor>(batch[1]).sizes(), (Indices{2, 3}));
  EXPECT_THAT(std::get<Numbers>(three.decode_batch(batch).at(1).at(1)).values, ElementsAre(4, 5, 6));
}

TEST(RegressionBlock, WhatIsNoNumberIsRefused) {
  const RegressionSetup setup(2);
  EXPECT_EQ(error_in([&] { setup.encodes(Category{"old"}); }).fact("got"), "'old'");
  EXPECT_EQ(error_in([&] { setup.encodes(std::monostate{}); }).message(), "the target is missing");
  EXPECT_THAT(error_in([&] { setup.encodes(Numbers{{1}}); }).message(),
              HasSubstr("another count of numbers"));
  EXPECT_THAT(error_in([&] { setup.encodes(Number{std::nan("")}); }).message(),
              HasSubstr("no finite number"));
}

TEST(PointBlock, ScalesAsFastaiAndDecodesToPixels) {
  const Json cases = golden("data/blocks.json").at("points");
  for (const Json& c : cases) {
    const Image image = photo(c.at("width").get<int>(), c.at("height").get<int>());
    const Points points = points_of(c.at("points"));
    const Pipeline p = pipeline_of(PointBlock(), {{image, points}});
    EXPECT_EQ(p.c(), static_cast<int>(2 * points.points.size()));
    const Values item = p.encode_item({image, points}, {});
    expect_near(rows_of(std::get<TensorPoint>(item[1]).tensor), c.at("scaled"), 1e-6);
    const auto decoded = std::get<Points>(p.decode_item(item)[1]).points;
    ASSERT_EQ(decoded.size(), points.points.size());
    for (std::size_t i = 0; i < decoded.size(); ++i) {
      EXPECT_NEAR(decoded[i].x, points.points[i].x, 1e-4);
      EXPECT_NEAR(decoded[i].y, points.points[i].y, 1e-4);
      EXPECT_NEAR(decoded[i].x, c.at("decoded")[i][0].get<float>(), 1e-4);
    }
    const auto boxes = PointScaler{}.encodes(boxes_of(c.at("boxes")), {.image_size = image.size()});
    expect_near(rows_of(boxes.tensor), c.at("scaled_boxes"), 1e-6);
  }
}

TEST(PointBlock, NumbersAndTensorsArePoints) {
  EXPECT_EQ(ToPoints().encodes(Numbers{{1, 2, 3, 4}}).points, (std::vector<Point>{{1, 2}, {3, 4}}));
  EXPECT_EQ(ToPoints(/*y_first=*/true).encodes(Numbers{{1, 2}}).points, (std::vector<Point>{{2, 1}}));
  EXPECT_EQ(ToPoints().encodes(torch::tensor({{5.f, 6.f}})).points, (std::vector<Point>{{5, 6}}));
  EXPECT_THAT(error_in([] { ToPoints().encodes(Numbers{{1, 2, 3}}); }).message(),
              HasSubstr("2 numbers each"));
}

TEST(PointBlock, PointsOutsideThePictureAreNamed) {
  const Pipeline p = pipeline_of(PointBlock(), {{photo(10, 20), Points{{{1, 1}, {2, 2}}}}});
  const Error e = error_in([&] { p.encode_item({photo(10, 20), Points{{{1, 1}, {15, 2}}}}, {}); });
  EXPECT_EQ(e.code(), ErrorCode::bad_data);
  EXPECT_EQ(e.message(), "a point lies outside of its picture");
  EXPECT_EQ(e.fact("point"), "1");
  EXPECT_EQ(e.fact("at"), "x 15, y 2");
  EXPECT_EQ(e.fact("picture"), "10 x 20");
  EXPECT_THAT(e.hint(), HasSubstr(".y_first"));
  EXPECT_THAT(error_in([&] { p.encode_item({photo(10, 20), Points{{{1, 1}}}}, {}); }).message(),
              HasSubstr("another count of points"));
  const Pipeline lax = pipeline_of(PointBlock({.allow_outside = true}), {{photo(10, 20), Points{{{15, 2}}}}});
  EXPECT_NEAR(std::get<TensorPoint>(lax.encode_item({photo(10, 20), Points{{{15, 2}}}}, {})[1])
                  .tensor[0][0]
                  .item<float>(),
              2.0, 1e-6);
}

TEST(BBoxBlock, InvertedBoxesAreNamed) {
  const Error e = error_in([] { ToBoxes{}.encodes(BBoxes{{{1, 1, 5, 5}, {30, 10, 20, 40}}}); });
  EXPECT_EQ(e.message(), "a box is inverted");
  EXPECT_EQ(e.fact("box"), "1");
  EXPECT_EQ(e.fact("got"), "left 30, top 10, right 20, bottom 40");
  EXPECT_THAT(e.hint(), HasSubstr("width and height"));
}

TEST(BBoxBlock, ClippingDroppingAndPaddingAreFastais) {
  const Json c = golden("data/blocks.json").at("bb_pad");
  std::vector<Values> items;
  for (std::size_t i = 0; i < c.at("boxes").size(); ++i) {
    torch::Tensor boxes = torch::empty({static_cast<std::int64_t>(c.at("boxes")[i].size()), 4});
    for (std::size_t b = 0; b < c.at("boxes")[i].size(); ++b)
      boxes[static_cast<std::int64_t>(b)] = torch::tensor(c.at("boxes")[i][b].get<std::vector<float>>());
    items.push_back({photo(8, 8), TensorBBox{boxes}, CategoryIndices{c.at("labels")[i].get<Indices>()}});
  }
  const Values batch = collate(items);
  const auto boxes = std::get<TensorBBox>(batch[1]).tensor;
  const auto labels = std::get<TensorMultiCategory>(batch[2]).tensor;
  EXPECT_EQ(labels.scalar_type(), torch::kInt64);
  for (std::size_t i = 0; i < items.size(); ++i) {
    expect_near(rows_of(boxes[static_cast<std::int64_t>(i)]), c.at("padded_boxes")[i], 0);
    const auto expected = torch::tensor(c.at("padded_labels")[i].get<Indices>());
    EXPECT_TRUE(torch::equal(labels[static_cast<std::int64_t>(i)], expected)) << i;
  }
}

TEST(BBoxBlock, DecodedBatchesHaveNoPaddingAndPixelsAgain) {
  const std::vector<BBox> two = {{1, 2, 5, 6}, {0, 0, 8, 4}}, one = {{2, 2, 4, 8}};
  const Block boxes = BBoxBlock(), labels = BBoxLblBlock();
  Pipeline p{.blocks = {{}, boxes.type_tfms, labels.type_tfms},
             .item_tfms = boxes.item_tfms,
             .batch_tfms = {IntToFloatTensor{}},
             .target = TargetKind::boxes};
  const std::vector<Values> raw = {{photo(8, 8), BBoxes{two}, Categories{{"cat", "dog"}}},
                                   {photo(8, 8), BBoxes{one}, Categories{{"dog"}}}};
  p.setup(raw);
  EXPECT_THAT(p.vocab(), ElementsAre("#na#", "cat", "dog"));
  const Values batch =
      p.encode_batch(collate({p.encode_item(raw[0], {}), p.encode_item(raw[1], {})}), {}, torch::kCPU);
  EXPECT_EQ(std::get<TensorBBox>(batch[1]).tensor.sizes(), (Indices{2, 2, 4}));
  const auto decoded = p.decode_batch(batch);
  EXPECT_EQ(std::get<BBoxes>(decoded[0][1]).boxes, two);
  EXPECT_EQ(std::get<BBoxes>(decoded[1][1]).boxes, one);
  EXPECT_THAT(std::get<Categories>(decoded[0][2]).names, ElementsAre("cat", "dog"));
  EXPECT_THAT(std::get<Categories>(decoded[1][2]).names, ElementsAre("dog"));
  const GridCell cell = to_cell(decoded[0]);
  ASSERT_EQ(cell.boxes.size(), 2u);
  EXPECT_EQ(cell.boxes[1].label, "dog");
  const Error e = error_in([&] { p.encode_item({photo(8, 8), BBoxes{two}, Categories{{"cat"}}}, {}); });
  EXPECT_EQ(e.message(), "an item has another count of labels than of boxes");
}

TEST(Masks, BecomeInt64AndDecodeToTheirIndices) {
  Pipeline p{.blocks = {{}, {MaskCodes({"sky", "road"})}},
             .item_tfms = {FitsPicture{}},
             .batch_tfms = {IntToFloatTensor{}},
             .target = TargetKind::mask};
  EXPECT_EQ(p.c(), 2);
  EXPECT_THAT(p.vocab(), ElementsAre("sky", "road"));
  const Values item = p.encode_item({photo(4, 3), mask_of({4, 3}, 1)}, {});
  const Values batch = p.encode_batch(collate({item, item}), {}, torch::kCPU);
  const auto y = std::get<TensorMask>(batch[1]).tensor;
  EXPECT_EQ(y.scalar_type(), torch::kInt64);
  EXPECT_EQ(y.sizes(), (Indices{2, 3, 4}));
  const Mask back = std::get<Mask>(p.decode_batch(batch)[1][1]);
  EXPECT_EQ(back.image.size(), (Size{4, 3}));
  EXPECT_EQ(back.image.data()[11], 1);
}

TEST(Masks, OfAnotherSizeOrWithUnknownValuesAreNamed) {
  const ItemContext context{.image_size = {10, 20}};
  const Error size = error_in([&] { FitsPicture{}.encodes(mask_of({20, 10}, 0), context); });
  EXPECT_EQ(size.message(), "the mask is of another size than its picture");
  EXPECT_EQ(size.fact("mask"), "20 x 10");
  EXPECT_EQ(size.fact("picture"), "10 x 20");
  EXPECT_THAT(size.hint(), HasSubstr("EXIF"));
  const MaskCodes codes({"sky", "road"});
  const Error value = error_in([&] { codes.encodes(mask_of({2, 2}, 7)); });
  EXPECT_EQ(value.message(), "a mask has a value that is no class");
  EXPECT_EQ(value.fact("value"), "7");
  EXPECT_EQ(value.fact("classes"), "2");
  EXPECT_NO_THROW(MaskCodes({"sky"}, 255).encodes(mask_of({2, 2}, 255)));
}

TEST(Blocks, EveryTransformIsExportedAndBuiltAgain) {
  Pipeline p{.blocks = {{},
                        MultiCategoryBlock().type_tfms,
                        MultiCategoryBlock({.encoded = true, .vocab = {"a"}}).type_tfms,
                        RegressionBlock().type_tfms,
                        PointBlock().type_tfms,
                        BBoxBlock().type_tfms,
                        {MaskCodes({"sky"}, 255)}},
             .item_tfms = PointBlock().item_tfms,
             .target = TargetKind::categories};
  p.setup({{photo(4, 4), Categories{{"b", "a"}}, Numbers{{1}}, Numbers{{1, 2}}, Points{{{1, 2}}},
            BBoxes{{{0, 0, 1, 1}}}, mask_of({4, 4}, 0)}});
  const Pipeline copy = Pipeline::from_json(p.to_json());
  EXPECT_EQ(copy.to_json(), p.to_json());
  EXPECT_EQ(copy.target, TargetKind::categories);
  EXPECT_EQ(copy.c(), 2);
}

TEST(DataBlock, GettersAreCountedAgainstTheBlocks) {
  const Getter label = [](const fs::path&) { return "x"; };
  const Error e = error_in(
      [&] { DataBlock({.blocks = {Block{}, CategoryBlock(), CategoryBlock()}, .get_y = {label, label}}); });
  EXPECT_THAT(e.message(), HasSubstr("one function in get_y for each of its blocks"));
  EXPECT_EQ(e.fact("functions"), "2");
  EXPECT_NO_THROW(DataBlock(
      {.blocks = {Block{}, CategoryBlock(), CategoryBlock()}, .get_y = {label, label}, .n_inp = 1}));
}

TEST(DataBlock, FromColumnsGivesEachBlockItsColumn) {
  const Items xs = to_items(std::vector<Value>{Number{1}, Number{2}, Number{3}, Number{4}});
  const Items ys = to_items(std::vector<Value>{Category{"a"}, Category{"b"}, Category{"a"}, Category{"b"}});
  const DataBlock block = DataBlock::from_columns(
      {.blocks = {RegressionBlock(), CategoryBlock()}, .splitter = IndexSplitter({2, 3})});
  const DataLoaders dls = block.dataloaders(zip_columns({xs, ys}), {.bs = 2, .shuffle = false});
  EXPECT_THAT(dls.vocab(), ElementsAre("a", "b"));
  const Batch batch = dls.train().one_batch();
  EXPECT_TRUE(torch::equal(batch.x[0], torch::tensor({1.f, 2.f})));
  EXPECT_TRUE(torch::equal(batch.y[0], torch::tensor({0, 1}, torch::kInt64)));
  EXPECT_EQ(dls.batch_table({.split = Split::valid}), "input  target\n3      a\n4      b\n");
  EXPECT_THROW(zip_columns({xs, {}}), Error);
}

TEST(DataBlock, WrongLabelsAreFoundBeforeTrainingAndNameTheirRow) {
  const Table t({{"x", std::vector<double>{1, 2, 3, 4}}, {"y", Table::Texts{"a", "b", std::nullopt, "c"}}});
  const auto with = [&](const Block& block, std::vector<std::int64_t> valid) {
    return error_in([&] {
      DataBlock({.blocks = {RegressionBlock(), block},
                 .splitter = IndexSplitter(std::move(valid)),
                 .get_x = ColReader("x"),
                 .get_y = ColReader("y")})
          .dataloaders(t, {.bs = 1});
    });
  };
  const Error empty = with(CategoryBlock(), {3});
  EXPECT_EQ(empty.message(), "the label is empty");
  EXPECT_EQ(empty.fact("item"), "row 2");
  const Error unseen = with(CategoryBlock({.add_na = false}), {3, 2});
  EXPECT_EQ(unseen.message(), "label 'c' was not included in the training data");
  EXPECT_EQ(unseen.fact("item"), "row 3");
  EXPECT_EQ(with(MultiCategoryBlock(), {3}).message(), "the label is missing");
  const Error number = with(RegressionBlock(), {2, 3});
  EXPECT_EQ(number.message(), "a number is expected as target");
  EXPECT_EQ(number.fact("item"), "row 0");
}

}  // namespace kindling
