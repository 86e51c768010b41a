#include <kindling/core/error.hpp>
#include <kindling/vision.hpp>

#include "golden.hpp"
#include "vision/drawn_photos.hpp"
#include "error_in.hpp"

#include <regex>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

namespace kindling {

using namespace testing;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

using kindling::testing::error_in;

using Names = std::vector<std::string>;

class LabelKinds : public ::testing::Test {
 protected:
  Paths photos(int n, Size size = {8, 8}) {
    Paths files;
    for (int i = 0; i < n; ++i) {
      files.push_back(folder_ / "photos" / fmt::format("{:03}.png", i));
      save_png(ground(size, {static_cast<std::uint8_t>(i * 10), 90, 30}), files.back());
    }
    return files;
  }
  fs::path csv(std::string_view text) {
    write_file(folder_ / "labels.csv", text);
    return folder_.path();
  }
  TemporaryFolder folder_;
};

Names names_of(const DataLoader& dl) {
  Names names;
  for (std::int64_t i = 0; i < dl.n(); ++i) {
    const Row row = std::get<Row>(dl.dataset().item(i));
    names.push_back(row.table->text(row.index, "name"));
  }
  return names;
}

bool has_colour(const Image& image, Colour c, int tolerance = 40) {
  for (std::size_t i = 0; i < image.bytes(); i += 3) {
    const auto* p = image.data() + i;
    if (std::abs(p[0] - c.red) + std::abs(p[1] - c.green) + std::abs(p[2] - c.blue) < tolerance) return true;
  }
  return false;
}

}  // namespace

TEST_F(LabelKinds, FromCsvSplitsAndLabelsAsFastai) {
  const Json file = golden("data/blocks.json").at("from_csv");
  csv(file.at("csv").get<std::string>());
  for (int i = 0; i < 20; ++i)
    save_png(ground({8, 8}, {static_cast<std::uint8_t>(i), 0, 0}),
             folder_ / "train" / fmt::format("{:03}.png", i));
  for (const Json& c : file.at("cases")) {
    const Json& s = c.at("settings");
    ImageDataLoadersOptions o{
        .bs = 2, .folder = "train", .suff = ".png", .label_delim = s.value("label_delim", "")};
    if (s.contains("seed")) o.seed = s["seed"].get<std::uint64_t>();
    if (s.contains("valid_col")) o.valid_col = s["valid_col"].get<std::string>();
    if (s.at("label_col").is_array()) {
      std::vector<ColumnRef> columns;
      for (const Json& column : s["label_col"]) columns.push_back(column.get<std::string>());
      o.label_col = columns;
    } else {
      o.label_col = s["label_col"].get<std::string>();
    }
    const DataLoaders dls = ImageDataLoaders::from_csv(folder_.path(), o);
    EXPECT_EQ(dls.vocab(), c.at("vocab").get<Names>()) << s.dump();
    EXPECT_EQ(dls.c(), c.at("c").get<int>()) << s.dump();
    EXPECT_EQ(names_of(dls.train()), c.at("train").get<Names>()) << s.dump();
    EXPECT_EQ(names_of(dls.valid()), c.at("valid").get<Names>()) << s.dump();
    const Batch batch = dls.train().one_batch();
    EXPECT_EQ(batch.x[0].sizes(), (std::vector<std::int64_t>{2, 3, 8, 8}));
  }
}

TEST_F(LabelKinds, FromListsTellsTheTargetByTheLabels) {
  const Paths files = photos(6);
  const ImageDataLoadersOptions o{.seed = 1, .bs = 2};
  const auto lists = [&](const auto& labels) {
    return ImageDataLoaders::from_lists(folder_.path(), files, labels, o);
  };
  const DataLoaders several = lists(std::vector<Names>{{"a"}, {"a", "b"}, {"b"}, {}, {"a"}, {"b"}});
  EXPECT_EQ(several.pipeline().target, TargetKind::categories);
  EXPECT_EQ(several.train().one_batch().y[0].sizes(), (std::vector<std::int64_t>{2, 2}));
  const DataLoaders numbers = lists(std::vector<double>{1, 2, 3, 4, 5, 6});
  EXPECT_EQ(numbers.pipeline().target, TargetKind::number);
  EXPECT_EQ(numbers.c(), 1);
  const DataLoaders pairs = lists(std::vector<std::vector<double>>(6, {1, 2}));
  EXPECT_EQ(pairs.c(), 2);
  const DataLoaders classes = lists(std::vector<int>{10, 2, 10, 2, 10, 2});
  EXPECT_THAT(classes.vocab(), ElementsAre("2", "10"));
  const DataLoaders points = lists(std::vector<Points>(6, Points{{{1, 2}, {3, 4}, {5, 6}}}));
  EXPECT_EQ(points.c(), 6);
  EXPECT_EQ(points.train().one_batch().y[0].sizes(), (std::vector<std::int64_t>{2, 3, 2}));
  EXPECT_THROW(lists(std::vector<double>{1}), Error);
}

TEST_F(LabelKinds, FilesThatDoNotExistAreAllListed) {
  photos(2);
  std::string text = "name,label\n000.png,a\n001.png,b\n";
  for (int i = 0; i < 25; ++i) text += fmt::format("gone{}.png,a\n", i);
  csv(text);
  const Error e = error_in(
      [&] { ImageDataLoaders::from_csv(folder_.path(), {.valid_pct = 0.1, .seed = 3, .folder = "photos"}); });
  EXPECT_EQ(e.code(), ErrorCode::not_found);
  EXPECT_THAT(e.message(), HasSubstr("files named in the table do not exist"));
  EXPECT_THAT(e.fact("missing 1"), AllOf(HasSubstr("of labels.csv): "), HasSubstr("gone")));
  EXPECT_NE(e.fact("missing 20"), "");
  EXPECT_EQ(e.fact("missing 21"), "");
  EXPECT_THAT(e.fact("and"), HasSubstr("more"));
  EXPECT_THAT(e.hint(), HasSubstr("suff"));
}

TEST_F(LabelKinds, BadTablesNameRowAndFile) {
  photos(4);
  const auto load = [&](std::string_view text, ImageDataLoadersOptions o = {}) {
    csv(text);
    o.folder = "photos";
    o.valid_pct = 0.5;
    o.seed = 0;
    o.bs = 1;
    return error_in([&] { ImageDataLoaders::from_csv(folder_.path(), o); });
  };
  const Error column = load("name,label\n000.png,a\n001.png,a\n", {.label_col = "lable"});
  EXPECT_THAT(column.what(), AllOf(HasSubstr("the table has no column 'lable'"), HasSubstr("labels.csv"),
                                   HasSubstr("did you mean 'label'?")));
  const Error empty = load("name,label\n000.png,a\n001.png,\n002.png,b\n003.png,a\n");
  EXPECT_EQ(empty.message(), "the label is empty");
  EXPECT_EQ(empty.fact("item"), "row 1 (line 3 of labels.csv)");
  const Error unseen =
      load("name,label,is_valid\n000.png,a,0\n001.png,b,0\n002.png,c,1\n", {.valid_col = "is_valid"});
  EXPECT_EQ(unseen.message(), "label 'c' was not included in the training data");
  EXPECT_EQ(unseen.fact("item"), "row 2 (line 4 of labels.csv)");
  EXPECT_EQ(load("name,label\n000.png,a\n001.png,b,c\n").fact("line"), "3");
}

TEST_F(LabelKinds, PointsOutsideAndMasksOfAnotherSizeNameTheFile) {
  const Paths files = photos(4);
  const auto points = error_in([&] {
    ImageDataLoaders::from_lists(folder_.path(), files, std::vector<Points>(4, Points{{{9, 1}}}),
                                 {.valid_pct = 0.5, .seed = 0, .bs = 1})
        .train()
        .one_batch();
  });
  EXPECT_EQ(points.message(), "a point lies outside of its picture");
  EXPECT_THAT(points.fact("path"), HasSubstr("photos/00"));
  const fs::path masks = folder_ / "masks";
  for (const fs::path& file : files) save_png(mask_picture({8, 6}, 1), masks / file.filename());
  const DataBlock block({.blocks = {ImageBlock(), MaskBlock({.codes = {"sky", "road"}})},
                         .splitter = IndexSplitter({3}),
                         .get_y = [masks](const fs::path& p) { return masks / p.filename(); }});
  const Error size = error_in([&] { block.dataloaders(to_items(files), {.bs = 1}).train().one_batch(); });
  EXPECT_EQ(size.message(), "the mask is of another size than its picture");
  EXPECT_EQ(size.fact("mask"), "8 x 6");
  EXPECT_THAT(size.fact("path"), HasSubstr("photos/00"));
}

TEST_F(LabelKinds, MasksKeepTheirIndices) {
  const Json cases = golden("data/blocks.json").at("raw_samples");
  for (const auto& [name, c] : cases.items()) {
    const fs::path file = fs::path(KINDLING_SOURCE_DIR) / "tests/golden/vision/images" / name;
    const Image mask = OpenMask().encodes(file).image;
    EXPECT_EQ(mask.size(), (Size{c.at("width").get<int>(), c.at("height").get<int>()})) << name;
    EXPECT_EQ(sha256_of({mask.data(), mask.bytes()}), c.at("sha256").get<std::string>()) << name;
  }
  save_png(ground({4, 4}, {3, 3, 3}), folder_ / "equal.png");
  EXPECT_EQ(OpenMask().encodes(folder_ / "equal.png").image.data()[5], 3);
  save_png(ground({4, 4}, {3, 4, 3}), folder_ / "colours.png");
  const Error e = error_in([&] { OpenMask().encodes(folder_ / "colours.png"); });
  EXPECT_THAT(e.message(), HasSubstr("a picture in colours"));
  EXPECT_THAT(e.fact("mask"), HasSubstr("colours.png"));
}

TEST_F(LabelKinds, GreyPicturesHaveOneChannel) {
  const Paths files = photos(4);
  const DataBlock block({.blocks = {ImageBlock({.mode = ColorMode::L}), CategoryBlock()},
                         .splitter = IndexSplitter({3}),
                         .get_y = [](const fs::path&) { return "digit"; }});
  const DataLoaders dls = block.dataloaders(to_items(files), {.bs = 2});
  EXPECT_EQ(dls.train().one_batch().x[0].sizes(), (std::vector<std::int64_t>{2, 1, 8, 8}));
  EXPECT_EQ(dls.show_batch({.max_n = 2, .cell = 32}).image().channels(), 3);
}

TEST_F(LabelKinds, SeveralInputsStandBesideEachOther) {
  const Paths files = photos(4);
  const DataBlock block({.blocks = {ImageBlock(), ImageBlock(), CategoryBlock()},
                         .splitter = IndexSplitter({3}),
                         .getters = {{}, {}, [](const fs::path&) { return "same"; }},
                         .n_inp = 2});
  const DataLoaders dls = block.dataloaders(to_items(files), {.bs = 2});
  EXPECT_EQ(dls.n_inp(), 2);
  const Batch batch = dls.train().one_batch();
  EXPECT_EQ(batch.x.size(), 2u);
  EXPECT_TRUE(torch::equal(batch.x[0], batch.x[1]));
  const auto cell = to_cell(dls.pipeline().decode_batch(dls.train().one_batch_values())[0]);
  EXPECT_EQ(cell.image.size(), (Size{16, 8}));
  EXPECT_EQ(cell.caption, "same");
}

TEST_F(LabelKinds, ShowBatchDrawsPointsBoxesAndMasks) {
  const Paths files = photos(2, {64, 64});
  const auto shown = [&](const Block& y, const Value& label) {
    const DataBlock block({.blocks = {ImageBlock(), y},
                           .splitter = IndexSplitter({1}),
                           .get_y = [label](const Value&) { return label; }});
    return block.dataloaders(to_items(files), {.bs = 1}).show_batch({.max_n = 1, .cell = 128}).image();
  };
  EXPECT_TRUE(has_colour(shown(PointBlock(), Points{{{32, 32}}}), {230, 20, 26})) << "a red dot";
  EXPECT_FALSE(has_colour(shown(RegressionBlock(), Number{1}), {230, 20, 26}));
  const Image boxed = shown(BBoxBlock(), BBoxes{{{10, 10, 50, 50}}});
  int black = 0;
  for (std::size_t i = 0; i < boxed.bytes(); i += 3)
    black += boxed.data()[i] + boxed.data()[i + 1] + boxed.data()[i + 2] < 60;
  EXPECT_GT(black, 100) << "the box's rim";
  // The ground is (0, 90, 30); half of it and half of tab20's orange, class 1.
  const Image masked = shown(MaskBlock({.codes = {"sky", "road"}}), Mask{mask_picture({64, 64}, 1)});
  EXPECT_TRUE(has_colour(masked, {127, 108, 22}, 12));
}

TEST_F(LabelKinds, CaptionsListLabelsAndNumbers) {
  EXPECT_EQ(to_cell({Image({2, 2}, 3), Categories{{"car", "sky"}}}).caption, "car;sky");
  EXPECT_EQ(to_cell({Image({2, 2}, 3), Numbers{{1.25, 3}}}).caption, "1.25, 3");
  EXPECT_EQ(to_cell({Image({2, 2}, 3), Number{2.5}, Category{"old"}}).caption, "2.5\nold");
  EXPECT_EQ(to_cell({Image({2, 2}, 3), Categories{}}).caption, "");
}

TEST_F(LabelKinds, SummaryWalksEveryStep) {
  const Paths files = photos(5, {12, 10});
  const DataBlock block(
      {.blocks = {ImageBlock(), CategoryBlock()},
       .get_items = get_image_files,
       .splitter = IndexSplitter({4}),
       .get_y = [](const fs::path& p) { return p.stem().string() < "002" ? "dark" : "light"; },
       .item_tfms = {Resize(8)},
       .batch_tfms = {Normalize(imagenet_stats)}});
  const Summary summary = block.summary(folder_ / "photos", {.bs = 2});
  EXPECT_TRUE(summary.ok()) << summary.text();
  const std::string text = std::regex_replace(summary.text(), std::regex(" +"), " ");
  for (const char* part :
       {"Items: 5; the first is path '", "Split: 4 train, 1 valid", "vocabulary 2 classes: dark, light",
        "item transforms Resize", "Category 'dark'", "OpenImage Image 12x10x3 0 to 90", "CategoryIndex 0",
        "Resize input: Image 8x8x3", "collate input: TensorImage [2, 3, 8, 8] Byte",
        "IntToFloatTensor input: TensorImage [2, 3, 8, 8] Float 0 to 0.35", "Normalize",
        "The model gets x: Tensor [2, 3, 8, 8] Float; its targets are y: Tensor [2] Long"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST_F(LabelKinds, SummaryExplainsABatchThatCannotBeMade) {
  Paths files = photos(3, {12, 10});
  save_png(ground({9, 9}, {1, 2, 3}), files[1]);
  const DataBlock block({.blocks = {ImageBlock(), CategoryBlock()},
                         .splitter = IndexSplitter({2}),
                         .get_y = [](const fs::path&) { return "x"; }});
  const Summary summary = block.summary(to_items(files));
  EXPECT_FALSE(summary.ok());
  EXPECT_THAT(summary.text(), HasSubstr("collate FAILED: pictures of different sizes cannot be one batch"));
  EXPECT_THAT(summary.text(), HasSubstr("Image 12x10x3  CategoryIndex 0"));
  EXPECT_THAT(summary.text(), HasSubstr("Image 9x9x3    CategoryIndex 0"));
  EXPECT_THAT(summary.text(), HasSubstr("try: give item_tfms a Resize"));
  const Summary nothing = block.summary(folder_ / "none");
  EXPECT_FALSE(nothing.ok());
  EXPECT_THAT(nothing.text(), HasSubstr("get_items FAILED"));
}

}  // namespace kindling
