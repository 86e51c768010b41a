// The list that aug_transforms makes, in a pipeline and in an export.
#include <kindling/core/error.hpp>
#include <kindling/data/normalize.hpp>
#include <kindling/data/pipeline.hpp>
#include <kindling/vision/learner.hpp>
#include <kindling/vision/aug_transforms.hpp>
#include <kindling/vision/auto_augment.hpp>
#include <kindling/vision/erasing.hpp>
#include <kindling/vision/flip.hpp>
#include <kindling/vision/image_block.hpp>
#include <kindling/vision/resize.hpp>

#include "vision/drawn_picture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using testing::drawn;

namespace {

std::vector<std::string> names_of(const Transforms& tfms) {
  std::vector<std::string> names;
  for (const Transform& t : tfms) names.push_back(t.name());
  return names;
}

template <class Step>
const Step& step_of(const AffineCoordTfm& tfm) {
  for (const AffineStep& step : tfm.steps()) {
    if (const auto* found = std::get_if<Step>(&step)) return *found;
  }
  throw Error(ErrorCode::internal, "no such step");
}

}  // namespace

TEST(AugTransforms, DefaultsAreFastais) {
  const Transforms tfms = aug_transforms();
  EXPECT_THAT(names_of(tfms), ::testing::ElementsAre("AffineCoordTfm", "LightingTfm"));
  const auto& affine = *tfms[0].get<AffineCoordTfm>();
  ASSERT_EQ(affine.steps().size(), 4u);
  EXPECT_TRUE(std::holds_alternative<FlipOptions>(affine.steps()[0]));
  EXPECT_TRUE(std::holds_alternative<WarpOptions>(affine.steps()[1]));
  EXPECT_TRUE(std::holds_alternative<RotateOptions>(affine.steps()[2]));
  EXPECT_EQ(step_of<WarpOptions>(affine).magnitude, 0.2);
  EXPECT_EQ(step_of<RotateOptions>(affine).max_deg, 10);
  EXPECT_EQ(step_of<ZoomOptions>(affine).max_zoom, 1.1);
  EXPECT_EQ(step_of<ZoomOptions>(affine).p, 0.75);
  EXPECT_EQ(step_of<FlipOptions>(affine).p, 0.5);
  const auto& light = *tfms[1].get<LightingTfm>();
  ASSERT_EQ(light.steps().size(), 2u);
  EXPECT_EQ(std::get<BrightnessOptions>(light.steps()[0]).max_lighting, 0.2);
  EXPECT_EQ(std::get<ContrastOptions>(light.steps()[1]).p, 0.75);
}

TEST(AugTransforms, EveryArgumentArrives) {
  const Transforms tfms = aug_transforms({.mult = 2,
                                          .flip_vert = true,
                                          .max_rotate = 20,
                                          .min_zoom = 0.9,
                                          .max_lighting = 0.1,
                                          .max_warp = 0.1,
                                          .p_affine = 0.6,
                                          .p_lighting = 0.4,
                                          .xtra_tfms = {RandomErasing(), Rotate({.max_deg = 3}), Saturation()},
                                          .size = Size{32, 24},
                                          .mode = Interpolation::nearest,
                                          .pad_mode = PadMode::zeros,
                                          .align_corners = false,
                                          .batch = true});
  EXPECT_THAT(names_of(tfms), ::testing::ElementsAre("AffineCoordTfm", "LightingTfm", "RandomErasing"));
  const auto& affine = *tfms[0].get<AffineCoordTfm>();
  EXPECT_EQ(affine.steps().size(), 5u);
  EXPECT_TRUE(step_of<DihedralOptions>(affine).batch);
  EXPECT_EQ(step_of<RotateOptions>(affine).max_deg, 40);
  EXPECT_EQ(step_of<WarpOptions>(affine).p, 0.6);
  EXPECT_EQ(step_of<ZoomOptions>(affine).min_zoom, 0.9);
  EXPECT_EQ(affine.options().size, (Size{32, 24}));
  EXPECT_EQ(affine.options().mode, Interpolation::nearest);
  EXPECT_EQ(affine.options().pad_mode, PadMode::zeros);
  EXPECT_FALSE(affine.options().align_corners);
  const auto& light = *tfms[1].get<LightingTfm>();
  EXPECT_EQ(light.steps().size(), 3u);
  EXPECT_EQ(std::get<BrightnessOptions>(light.steps()[0]).max_lighting, 0.2);
}

TEST(AugTransforms, AMinScaleCropsBatchesAndNeedsASize) {
  const Transforms tfms = aug_transforms({.size = Size{16, 16}, .min_scale = 0.5});
  EXPECT_THAT(names_of(tfms), ::testing::ElementsAre("AffineCoordTfm", "LightingTfm", "RandomResizedCropGPU"));
  EXPECT_FALSE(tfms[0].get<AffineCoordTfm>()->options().size.has_value());
  EXPECT_EQ(tfms[2].to_json().at("ratio").dump(), "[1.0,1.0]");
  try {
    aug_transforms({.min_scale = 0.5});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("min_scale of aug_transforms needs a size"));
  }
  EXPECT_TRUE(aug_transforms({.do_flip = false, .max_rotate = 0, .max_zoom = 1, .max_lighting = 0, .max_warp = 0}).empty());
}

TEST(AugTransforms, APipelineMovesAllMembersOfABatchAlikeAndIsTheSameAgain) {
  Pipeline pipeline;
  pipeline.batch_tfms = merge_transforms({IntToFloatTensor{}}, aug_transforms({.max_rotate = 40}));
  std::vector<Values> items;
  for (int i = 0; i < 6; ++i) {
    Image image = drawn("L", 40, 30);
    for (std::size_t k = 0; k < image.bytes(); ++k) image.data()[k] = image.data()[k] > 127 ? 255 : 0;
    Image classes(image.size(), 1);
    for (std::size_t k = 0; k < image.bytes(); ++k) classes.data()[k] = image.data()[k] / 255;
    items.push_back({image, Mask{classes}});
  }
  const ItemContext context{.split = Split::train, .seed = 2, .item = 3};
  const Values batch = pipeline.encode_batch(collate(items), context, torch::kCPU);
  const auto images = tensor_of(batch[0]).squeeze(1), masks = tensor_of(batch[1]).to(torch::kFloat32);
  // Away from edges a mask of the bright pixels is still one.
  const auto clear = (images - 0.5).abs() > 0.35;
  EXPECT_TRUE(((images > 0.5).to(torch::kFloat32) - masks).abs().masked_select(clear).eq(0).all().item<bool>());
  EXPECT_GT(clear.sum().item<std::int64_t>(), images.numel() / 2);
  EXPECT_FALSE(images[0].equal(images[1]));
  EXPECT_TRUE(tensor_of(pipeline.encode_batch(collate(items), context, torch::kCPU)[0]).squeeze(1).equal(images));
  // Validation is untouched.
  const Values still = pipeline.encode_batch(collate(items), {.split = Split::valid}, torch::kCPU);
  EXPECT_EQ(testing::difference(tensor_of(still[0]).squeeze(1), tensor_of(still[1]).to(torch::kFloat32)), 0);
}

TEST(AugTransforms, ABatchKnowsItsPicturesSizeSoThatPointsTurnWithThem) {
  Pipeline pipeline;
  pipeline.batch_tfms = {Dihedral({.p = 1, .draw = {3}})};
  const auto images = torch::zeros({1, 3, 20, 40});
  const auto points = torch::tensor({0.f, 0.25f}).view({1, 1, 2});
  const Values batch = pipeline.encode_batch({TensorImage{images}, TensorPoint{points}}, {.split = Split::train}, torch::kCPU);
  const auto moved = tensor_of(batch[1]);
  // A quarter of the height is an eighth of the width.
  EXPECT_NEAR(moved[0][0][0].item<double>(), 0.125, 1e-6);
  EXPECT_NEAR(moved[0][0][1].item<double>(), 0, 1e-6);
}

TEST(AugTransforms, ExportsHoldEveryTransformAndGiveTheSameBack) {
  detail::register_vision();
  Pipeline pipeline;
  pipeline.blocks = {ImageBlock().type_tfms};
  pipeline.item_tfms = {FlipItem(), DihedralItem(0.5), CropPad(20), Resize(18), RandomCrop(16), RatioResize(15),
                        RandomResizedCrop(14), RandAugment(), TrivialAugmentWide()};
  pipeline.batch_tfms = aug_transforms({.xtra_tfms = {Hue(), RandomErasing()}, .size = Size{9, 8}, .min_scale = 0.7});
  for (const Transform& t : Transforms{Flip(), Dihedral(), Rotate({.draw = {1, 2}}), Zoom(), Warp({}, {.size = Size{3, 4}}),
                                       Brightness(), Contrast(), Saturation({.draw = {0.5}})}) {
    pipeline.batch_tfms.push_back(t);
  }
  const Json json = pipeline.to_json();
  const Pipeline again = Pipeline::from_json(json);
  EXPECT_EQ(again.to_json(), json);
  EXPECT_EQ(names_of(again.batch_tfms), names_of(pipeline.batch_tfms));
  for (std::size_t i = 0; i < again.batch_tfms.size(); ++i) {
    EXPECT_EQ(again.batch_tfms[i].type(), pipeline.batch_tfms[i].type());
    EXPECT_EQ(again.batch_tfms[i].order(), pipeline.batch_tfms[i].order());
  }
}

TEST(AugTransforms, AnExportWithAnUnknownMovementIsNamed) {
  Json json = Flip().to_json();
  json["steps"][0]["step"] = "fold";
  try {
    AffineCoordTfm::from_json(json);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_model);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("movement that is not known (step: fold)"));
  }
}

}  // namespace kindling
