#include <kindling/core/error.hpp>
#include <kindling/data/block.hpp>
#include <kindling/data/normalize.hpp>
#include <kindling/data/pipeline.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace kindling {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

Image grey_image(int width, int height, std::uint8_t value) {
  Image image({width, height}, 3);
  std::fill_n(image.data(), image.bytes(), value);
  return image;
}

struct AddOne {
  static constexpr const char* name = "AddOne";
  static constexpr int order = 3;
  static constexpr Split only_on = Split::train;
  Number encodes(const Number& n) const { return {n.value + 1}; }
  Number decodes(const Number& n) const { return {n.value - 1}; }
};

struct Draw {
  Number encodes(const Number&, const ItemContext& c) const { return {c.rng().uniform()}; }
  Number encodes(const Text&, const ItemContext& c) const { return {c.rng().uniform()}; }
};

}  // namespace

TEST(Transform, ActsOnItsKindAndSplitAlone) {
  const Transform t = AddOne{};
  const ItemContext train{.split = Split::train}, valid{.split = Split::valid};
  EXPECT_EQ(std::get<Number>(t.encode(Number{1}, train)).value, 2);
  EXPECT_EQ(std::get<Number>(t.encode(Number{1}, valid)).value, 1);
  EXPECT_EQ(std::get<Text>(t.encode(Text{"a"}, train)).text, "a");
  EXPECT_EQ(std::get<Number>(t.decode(Number{2})).value, 1);
  EXPECT_EQ(t.order(), 3);
  EXPECT_EQ(t.to_json().dump(), R"({"name":"AddOne"})");
}

TEST(Transform, PlainFunctionIsOne) {
  const Transform half = [](const Number& n) { return Number{n.value / 2}; };
  EXPECT_EQ(std::get<Number>(half.encode(Number{3}, {})).value, 1.5);
  EXPECT_THROW(half.to_json(), Error);
}

TEST(Transform, MembersOfAnItemGetTheSameDraw) {
  Pipeline p{.blocks = {{}, {}}, .item_tfms = {Draw{}}};
  const Values a = p.encode_item({Number{0}, Text{""}}, {.seed = 1, .item = 7});
  const Values b = p.encode_item({Number{0}, Text{""}}, {.seed = 1, .item = 8});
  EXPECT_EQ(std::get<Number>(a[0]).value, std::get<Number>(a[1]).value);
  EXPECT_NE(std::get<Number>(a[0]).value, std::get<Number>(b[0]).value);
}

TEST(Transform, MergeKeepsTheLastOfAClassAndSortsByOrder) {
  const Transforms merged =
      merge_transforms({AddOne{}, Normalize(imagenet_stats)}, {Normalize(cifar_stats), IntToFloatTensor{}});
  std::vector<std::string> names;
  for (const Transform& t : merged) names.push_back(t.name());
  EXPECT_THAT(names, ElementsAre("AddOne", "IntToFloatTensor", "Normalize"));
  EXPECT_FLOAT_EQ(merged[2].to_json().at("mean")[0].get<float>(), 0.491f);
}

TEST(Categorize, LearnsSortedNamesFromTheTrainingItems) {
  Categorize c;
  c.setup({Category{"dog"}, Category{"cat"}, Category{"dog"}});
  EXPECT_THAT(c.vocab(), ElementsAre("cat", "dog"));
  EXPECT_EQ(c.encodes({"dog"}).index, 1);
  EXPECT_EQ(c.decodes({0}).name, "cat");
}

TEST(Categorize, GivenVocabIsSortedUnlessTold) {
  EXPECT_THAT(Categorize({.vocab = {"b", "a"}}).vocab(), ElementsAre("a", "b"));
  EXPECT_THAT(Categorize({.vocab = {"b", "a"}, .sort = false}).vocab(), ElementsAre("b", "a"));
  EXPECT_THAT(Categorize({.vocab = {"b", "a"}, .add_na = true}).vocab(), ElementsAre("#na#", "a", "b"));
}

TEST(Categorize, UnknownLabelNamesTheKnownOnes) {
  try {
    Categorize({.vocab = {"cat", "dog"}}).encodes({"dgo"});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("label 'dgo' was not included in the training data"));
    EXPECT_EQ(e.fact("known labels"), "'cat', 'dog'");
  }
  EXPECT_EQ(Categorize({.vocab = {"cat"}, .add_na = true}).encodes({"dgo"}).index, 0);
}

TEST(Collate, PicturesBecomeChannelsLastBytes) {
  const Values batch =
      collate({{grey_image(3, 2, 10), CategoryIndex{1}}, {grey_image(3, 2, 20), CategoryIndex{0}}});
  const auto x = std::get<TensorImage>(batch[0]).tensor;
  EXPECT_EQ(x.sizes(), (std::vector<std::int64_t>{2, 3, 2, 3}));
  EXPECT_TRUE(x.is_contiguous(torch::MemoryFormat::ChannelsLast));
  EXPECT_EQ(x[1].sum().item<int>(), 20 * 18);
  EXPECT_TRUE(torch::equal(std::get<TensorCategory>(batch[1]).tensor, torch::tensor({1, 0}, torch::kInt64)));
}

TEST(Collate, PicturesOfDifferentSizesAreNamed) {
  try {
    collate({{grey_image(3, 2, 0)}, {grey_image(2, 2, 0)}});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_data);
    EXPECT_THAT(e.what(), HasSubstr("item 0 of it is Image 3x2x3, item 1 is Image 2x2x3"));
    EXPECT_THAT(e.hint(), HasSubstr("Resize"));
  }
}

TEST(Normalize, DecodeOfAnEncodedPictureGivesEveryByteBack) {
  Image image({16, 16}, 3);
  for (std::size_t i = 0; i < image.bytes(); ++i) image.data()[i] = static_cast<std::uint8_t>(i % 256);
  Pipeline p{.blocks = {{}}, .batch_tfms = {IntToFloatTensor{}, Normalize(imagenet_stats)}};
  const Values batch = p.encode_batch(collate({{image}}), {}, torch::kCPU);
  const auto x = std::get<TensorImage>(batch[0]).tensor;
  EXPECT_NEAR(x[0][1][0][0].item<float>(), (1 / 255.0f - 0.456f) / 0.224f, 1e-6);
  const Image back = std::get<Image>(p.decode_batch(batch).at(0).at(0));
  EXPECT_EQ(std::vector<std::uint8_t>(back.data(), back.data() + back.bytes()),
            std::vector<std::uint8_t>(image.data(), image.data() + image.bytes()));
}

TEST(Pipeline, JsonMakesTheSamePipelineAgain) {
  Pipeline p{.blocks = {{}, CategoryBlock().type_tfms},
             .batch_tfms = {IntToFloatTensor{}, Normalize(imagenet_stats)},
             .target = TargetKind::category};
  p.setup({{Number{0}, Category{"b"}}, {Number{0}, Category{"a"}}});
  const Pipeline copy = Pipeline::from_json(p.to_json());
  EXPECT_EQ(copy.to_json(), p.to_json());
  EXPECT_THAT(copy.vocab(), ElementsAre("a", "b"));
}

TEST(Pipeline, DamagedJsonIsABadModel) {
  for (const char* text :
       {"{}", R"({"blocks":[],"item_tfms":[],"batch_tfms":[],"n_inp":1,"target":"category"})",
        R"({"blocks":[[]],"item_tfms":[],"batch_tfms":[],"n_inp":1,"target":"soup"})"}) {
    try {
      Pipeline::from_json(parse_json(text, "test"));
      FAIL() << text;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::bad_model) << text;
    }
  }
}

TEST(Pipeline, TransformOfAnUnknownNameTellsHowToRegisterIt) {
  const Json json = parse_json(
      R"({"blocks":[[{"name":"Swirl"}]],"item_tfms":[],"batch_tfms":[],"n_inp":1,"target":"none"})", "test");
  try {
    Pipeline::from_json(json);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.fact("name"), "Swirl");
    EXPECT_THAT(e.hint(), HasSubstr("register_transform"));
  }
}

}  // namespace kindling
