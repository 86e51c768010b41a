// Light and noise of batches beside fastai's.
#include <kindling/core/error.hpp>
#include <kindling/vision/erasing.hpp>
#include <kindling/vision/lighting.hpp>

#include "golden.hpp"
#include "vision/drawn_picture.hpp"
#include "vision/lighting_kernels.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using testing::difference;
using testing::drawn_batch;
using testing::from_millionths;
using testing::golden;

namespace {

constexpr double lighting_tolerance = 1e-5;

LightingStep lighting_step(const Json& step) {
  const auto name = step.at("step").get<std::string>();
  const auto draw = step.at("draw").get<GivenDraws>();
  if (name == "brightness") return BrightnessOptions{.p = 1, .draw = draw};
  if (name == "contrast") return ContrastOptions{.p = 1, .draw = draw};
  return SaturationOptions{.p = 1, .draw = draw};
}

torch::Tensor batch_of(const Json& c) {
  const auto s = c.at("shape").get<std::vector<std::int64_t>>();
  return drawn_batch(s[0], s[1], s[2], s[3]);
}

torch::Tensor golden_images(const Json& c) {
  return from_millionths(c.at("images").get<std::vector<std::int64_t>>(),
                         c.at("shape").get<std::vector<std::int64_t>>());
}

}  // namespace

TEST(LightingTfm, EveryGoldenCaseIsWithin1e5OfFastai) {
  const Json file = golden("vision/augment_batch.json");
  int compared = 0;
  for (const Json& c : file.at("lighting")) {
    std::vector<LightingStep> steps;
    for (const Json& step : c.at("steps")) steps.push_back(lighting_step(step));
    const auto images = LightingTfm(steps).encodes(TensorImage{batch_of(c)}, {.split = Split::train}).tensor;
    EXPECT_LT(difference(images, golden_images(c)), lighting_tolerance) << c.at("steps");
    ++compared;
  }
  EXPECT_EQ(compared, 5);
}

TEST(LightingTfm, KernelsEqualTorchsOperatorsOnAllValues) {
  // All values of a byte and random ones, in a number that no register divides.
  auto batch = torch::rand({5, 3, 37, 29});
  batch.view({5, -1}).narrow(1, 0, 256).copy_(torch::arange(256) / 255.0);
  batch = batch.contiguous(torch::MemoryFormat::ChannelsLast);
  std::vector<detail::LogitMap> maps(5);
  maps[1].shift = {0.3, 0.3, 0.3};
  maps[2].mix = {1.2, 0, 0, 0, 1.2, 0, 0, 0, 1.2};
  maps[3].mix = {0.7, 0, 0, 0, 0.7, 0, 0, 0, 0.7};
  maps[3].shift = {-0.4, -0.4, -0.4};
  EXPECT_LT(difference(detail::light(batch, maps), detail::light_by_torch(batch, maps)), lighting_tolerance);
  maps[4].mix = {0.9, 0.2, -0.1, 0.3, 0.5, 0.2, 0.1, 0.1, 1.3};
  maps[4].shift = {0.1, -0.2, 0.3};
  maps[4].mixes = true;
  EXPECT_LT(difference(detail::light(batch, maps), detail::light_by_torch(batch, maps)), lighting_tolerance);
}

TEST(LightingTfm, TheBatchThatComesInIsLeftAloneAndLayoutDoesNotMatter) {
  const auto batch = drawn_batch(2, 3, 9, 7), before = batch.clone();
  const LightingTfm tfm({BrightnessOptions{.p = 1}, ContrastOptions{.p = 1}});
  const ItemContext context{.split = Split::train, .seed = 8};
  const auto lit = tfm.encodes(TensorImage{batch}, context).tensor;
  EXPECT_TRUE(batch.equal(before));
  EXPECT_TRUE(tfm.encodes(TensorImage{batch.contiguous()}, context).tensor.equal(lit));
  EXPECT_TRUE(lit.is_contiguous(torch::MemoryFormat::ChannelsLast));
}

TEST(LightingTfm, SaturationOfGreyPicturesIsNamed) {
  try {
    Saturation({.p = 1}).encodes(TensorImage{drawn_batch(1, 1, 4, 4)}, {.split = Split::train});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("Saturation needs pictures of three channels"));
    EXPECT_THAT(e.hint(), ::testing::HasSubstr("black-and-white"));
  }
  EXPECT_NO_THROW(Contrast({.p = 1}).encodes(TensorImage{drawn_batch(1, 1, 4, 4)}, {.split = Split::train}));
  EXPECT_THROW(Brightness({.max_lighting = 1}), Error);
}

TEST(Hue, EqualsFastaiAndTorchsOperators) {
  const Json file = golden("vision/augment_batch.json");
  for (const Json& c : file.at("hue")) {
    const auto draws = c.at("draw").get<std::vector<double>>();
    const auto images = Hue().apply(TensorImage{batch_of(c)}, draws).tensor;
    EXPECT_LT(difference(images, golden_images(c)), lighting_tolerance);
    EXPECT_LT(difference(images, detail::turn_hue_by_torch(batch_of(c), draws)), lighting_tolerance);
  }
}

TEST(RandomErasing, RectanglesEqualFastaisWithPythonsDraws) {
  const Json file = golden("vision/augment_batch.json");
  for (const Json& c : file.at("erasing")) {
    RandomErasingOptions options;
    options.sl = c.at("settings").value("sl", options.sl);
    options.sh = c.at("settings").value("sh", options.sh);
    options.max_count = c.at("settings").value("max_count", options.max_count);
    PythonRandom random(c.at("seed").get<std::uint64_t>());
    const auto boxes = RandomErasing(options).draw(
        {30, 40}, {.uniform = [&](double a, double b) { return random.uniform(a, b); },
                   .integer = [&](std::int64_t a, std::int64_t b) { return random.randint(a, b); }});
    const Json& wanted = c.at("rows_and_columns");
    ASSERT_EQ(boxes.size(), wanted.size());
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      // fastai's may reach beyond the edge, where there is nothing.
      EXPECT_EQ(boxes[i].top, wanted[i][0].get<int>());
      EXPECT_EQ(boxes[i].bottom, std::min(40, wanted[i][1].get<int>()));
      EXPECT_EQ(boxes[i].left, wanted[i][2].get<int>());
      EXPECT_EQ(boxes[i].right, std::min(30, wanted[i][3].get<int>()));
    }
  }
}

TEST(RandomErasing, NoiseIsStandardNormalInsideAndNothingChangesOutside) {
  const auto batch = torch::full({4, 3, 64, 64}, 7.0f).contiguous(torch::MemoryFormat::ChannelsLast);
  const RandomErasing erasing({.p = 1});
  const auto erased = erasing.apply(TensorImage{batch}, {{10, 20, 50, 60}}, 3).tensor;
  EXPECT_TRUE((batch == 7).all().item<bool>());
  EXPECT_TRUE(erasing.apply(TensorImage{batch}, {{10, 20, 50, 60}}, 3).tensor.equal(erased));
  const auto noise = erased.narrow(2, 20, 40).narrow(3, 10, 40);
  EXPECT_NEAR(noise.mean().item<double>(), 0, 0.03);
  EXPECT_NEAR(noise.std().item<double>(), 1, 0.03);
  EXPECT_EQ((erased != 7).sum().item<std::int64_t>(), noise.numel());
}

}  // namespace kindling
