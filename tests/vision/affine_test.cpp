// Movements of batches beside fastai's, on pictures, masks, points and boxes.
#include <kindling/core/error.hpp>
#include <kindling/vision/aug_transforms.hpp>

#include "golden.hpp"
#include "vision/drawn_picture.hpp"
#include "vision/sampling.hpp"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using testing::difference;
using testing::drawn_batch;
using testing::drawn_masks;
using testing::from_millionths;
using testing::golden;

namespace {

constexpr double tolerance = 1e-5;

GivenDraws draws_of(const Json& step, const char* key) {
  return step.contains(key) ? step.at(key).get<GivenDraws>() : GivenDraws{};
}

AffineStep affine_step(const Json& step) {
  const auto name = step.at("step").get<std::string>();
  const GivenDraws draw = draws_of(step, "draw"), x = draws_of(step, "draw_x"), y = draws_of(step, "draw_y");
  if (name == "flip") return FlipOptions{.p = 1, .draw = draw};
  if (name == "dihedral") return DihedralOptions{.p = 1, .draw = draw};
  if (name == "rotate") return RotateOptions{.p = 1, .draw = draw};
  if (name == "zoom") return ZoomOptions{.p = 1, .draw = draw, .draw_x = x, .draw_y = y};
  return WarpOptions{.p = 1, .draw_x = x, .draw_y = y};
}

AffineCoordTfm transform_of(const Json& c) {
  std::vector<AffineStep> steps;
  for (const Json& step : c.at("steps")) steps.push_back(affine_step(step));
  AffineOptions options;
  const Json& given = c.at("options");
  if (!c.at("size").is_null()) options.size = Size{c.at("size")[1].get<int>(), c.at("size")[0].get<int>()};
  if (given.contains("pad_mode")) options.pad_mode = pad_mode_from(given.at("pad_mode").get<std::string>());
  options.align_corners = given.value("align_corners", true);
  const auto mode = given.value("mode", "bilinear");
  options.mode = mode == "nearest"   ? Interpolation::nearest
                 : mode == "bicubic" ? Interpolation::bicubic
                                     : Interpolation::bilinear;
  return AffineCoordTfm(steps, options);
}

std::vector<std::int64_t> shape_of(const Json& c) {
  return c.at("shape").get<std::vector<std::int64_t>>();
}

torch::Tensor golden_like(const Json& values, const torch::Tensor& like) {
  return from_millionths(values.get<std::vector<std::int64_t>>(), like.sizes());
}

void expect_others(const Json& c, const AffineCoordTfm& tfm, const ItemContext& context) {
  const auto s = shape_of(c);
  const auto masks = tfm.encodes(TensorMask{drawn_masks(s[0], s[2], s[3])}, context).tensor;
  const auto wanted = torch::tensor(c.at("masks").get<std::vector<std::int64_t>>()).view(masks.sizes());
  EXPECT_TRUE(masks.equal(wanted)) << c.at("steps");
  const auto points = torch::tensor({-0.5f, 0.25f, 0.9f, -0.8f, 0.f, 0.f}).view({1, 3, 2}).repeat({s[0], 1, 1});
  const auto moved = tfm.encodes(TensorPoint{points}, context).tensor;
  EXPECT_LT(difference(moved, golden_like(c.at("points"), moved)), tolerance) << c.at("steps");
  const auto boxes =
      torch::tensor({-0.5f, -0.75f, 0.25f, 0.5f, 0.1f, 0.2f, 0.3f, 0.9f}).view({1, 2, 4}).repeat({s[0], 1, 1});
  const auto boxed = tfm.encodes(TensorBBox{boxes}, context).tensor;
  EXPECT_LT(difference(boxed, golden_like(c.at("boxes"), boxed)), tolerance) << c.at("steps");
}

std::vector<detail::Matrix3> some_maps(std::int64_t n) {
  const AffineCoordTfm tfm({FlipOptions{}, WarpOptions{.p = 1}, RotateOptions{.max_deg = 60, .p = 1}});
  std::vector<detail::Matrix3> maps;
  for (std::int64_t i = 0; i < n; ++i) {
    const double t = 0.1 * static_cast<double>(i + 1);
    maps.push_back({1 - t, t, 0.2, -t, 1.1, -0.3, 0.1 * t, -0.05, 1});
  }
  return maps;
}

}  // namespace

TEST(AffineCoordTfm, EveryGoldenCaseIsWithin1e5OfFastai) {
  const Json file = golden("vision/augment_batch.json");
  int compared = 0;
  for (const Json& c : file.at("affine")) {
    const auto s = shape_of(c);
    const AffineCoordTfm tfm = transform_of(c);
    const ItemContext context{.split = Split::train,
                              .image_size = {static_cast<int>(s[3]), static_cast<int>(s[2])}};
    const auto images = tfm.encodes(TensorImage{drawn_batch(s[0], s[1], s[2], s[3])}, context).tensor;
    ASSERT_EQ(images.numel(), static_cast<std::int64_t>(c.at("images").size())) << c.at("steps");
    EXPECT_LT(difference(images, golden_like(c.at("images"), images)), tolerance) << c.at("steps") << c.at("options");
    EXPECT_TRUE(images.is_contiguous(torch::MemoryFormat::ChannelsLast) || c.at("options").contains("mode"));
    if (c.contains("points")) expect_others(c, tfm, context);
    ++compared;
  }
  EXPECT_EQ(compared, 20);
}

TEST(AffineCoordTfm, ValidationIsOnlyBroughtToSizeAsInFastai) {
  const Json file = golden("vision/augment_batch.json");
  for (const Json& c : file.at("valid")) {
    const auto s = shape_of(c);
    const Rotate tfm({.p = 1}, {.size = Size{c.at("size")[1].get<int>(), c.at("size")[0].get<int>()}});
    const auto images = tfm.encodes(TensorImage{drawn_batch(s[0], s[1], s[2], s[3])}, {.split = Split::valid}).tensor;
    EXPECT_LT(difference(images, golden_like(c.at("images"), images)), tolerance);
    const auto masks = tfm.encodes(TensorMask{drawn_masks(s[0], s[2], s[3])}, {.split = Split::valid}).tensor;
    EXPECT_TRUE(masks.flatten().equal(torch::tensor(c.at("masks").get<std::vector<std::int64_t>>())));
  }
  const auto batch = drawn_batch(1, 3, 5, 6);
  EXPECT_TRUE(Rotate().encodes(TensorImage{batch}, {.split = Split::valid}).tensor.is_same(batch));
}

TEST(AffineCoordTfm, KernelsEqualTorchsOperators) {
  const auto maps = some_maps(3);
  for (const PadMode pad : {PadMode::zeros, PadMode::border, PadMode::reflection}) {
    for (const Interpolation mode : {Interpolation::bilinear, Interpolation::nearest}) {
      for (const bool align : {true, false}) {
        for (const std::int64_t channels : {1, 3, 4}) {
          const auto batch = drawn_batch(3, channels, 37, 51);
          const detail::Sampling sampling{.to = {43, 29}, .mode = mode, .pad_mode = pad, .align_corners = align};
          const auto ours = detail::sample_by_kernel(batch, maps, sampling);
          const auto theirs = detail::sample_by_torch(batch, maps, sampling);
          // Nearest pixels may differ where a place lies between two of them.
          const auto apart = ((ours - theirs).abs() > 2e-5).sum().item<std::int64_t>();
          EXPECT_LE(apart, mode == Interpolation::nearest ? channels * 4 : 0) << name_of(pad) << align << channels;
        }
      }
    }
  }
}

TEST(AffineCoordTfm, LayoutOfTheBatchAndThreadsDoNotMatter) {
  const auto batch = drawn_batch(4, 3, 64, 48);
  const AffineCoordTfm tfm({FlipOptions{}, WarpOptions{.p = 1}, RotateOptions{.p = 1}, ZoomOptions{.p = 1}});
  const auto draws = tfm.draw(4, {.split = Split::train, .seed = 1});
  const auto result = tfm.apply(TensorImage{batch}, draws).tensor;
  EXPECT_TRUE(tfm.apply(TensorImage{batch.contiguous()}, draws).tensor.equal(result));
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  EXPECT_TRUE(tfm.apply(TensorImage{batch}, draws).tensor.equal(result));
  at::set_num_threads(threads);
  // A view into a larger batch: no pixel outside of it is read.
  auto larger = torch::full({4, 3, 70, 60}, 9.0f).contiguous(torch::MemoryFormat::ChannelsLast);
  auto view = larger.narrow(2, 3, 64).narrow(3, 5, 48);
  view.copy_(batch);
  EXPECT_TRUE(tfm.apply(TensorImage{view}, draws).tensor.equal(result));
}

TEST(AffineCoordTfm, FlipsAndQuarterTurnsMovePixelsExactly) {
  const auto batch = drawn_batch(8, 3, 16, 16);
  const auto masks = drawn_masks(8, 16, 16);
  const Dihedral tfm({.p = 1, .draw = {0, 1, 2, 3, 4, 5, 6, 7}});
  const ItemContext context{.split = Split::train};
  const auto moved = tfm.encodes(TensorImage{batch}, context).tensor;
  const auto moved_masks = tfm.encodes(TensorMask{masks}, context).tensor;
  auto turned = [](torch::Tensor t, int k) {
    if (k == 1 || k == 3 || k == 4 || k == 7) t = t.flip(-1);
    if (k == 2 || k == 4 || k == 5 || k == 7) t = t.flip(-2);
    return k == 3 || k >= 5 ? t.transpose(-1, -2) : t;
  };
  for (int k = 0; k < 8; ++k) {
    EXPECT_LT(difference(moved[k], turned(batch[k], k)), 1e-6) << k;
    EXPECT_TRUE(moved_masks[k].equal(turned(masks[k], k))) << k;
  }
}

TEST(AffineCoordTfm, AMarkIsFoundWhereItsPointAndBoxAre) {
  const std::int64_t n = 40, height = 60, width = 80;
  auto images = torch::zeros({n, 3, height, width}).contiguous(torch::MemoryFormat::ChannelsLast);
  images.narrow(2, 28, 5).narrow(3, 48, 5).fill_(1);
  auto masks = torch::zeros({n, height, width}, torch::kUInt8);
  masks.narrow(1, 28, 5).narrow(2, 48, 5).fill_(1);
  // align_corners: -1 and 1 are the middles of the outermost pixels.
  const float x = 2 * 50.f / (width - 1) - 1, y = 2 * 30.f / (height - 1) - 1;
  const auto point = torch::tensor({x, y}).view({1, 1, 2}).repeat({n, 1, 1});
  const auto box = torch::tensor({x, y, x, y}).view({1, 1, 4}).repeat({n, 1, 1});
  const AffineCoordTfm tfm({DihedralOptions{}, WarpOptions{.p = 1}, RotateOptions{.max_deg = 30, .p = 1},
                            ZoomOptions{.max_zoom = 1.5, .p = 1}},
                           {.pad_mode = PadMode::zeros});
  const ItemContext context{.split = Split::train, .seed = 5, .image_size = {80, 60}};
  images = tfm.encodes(TensorImage{images}, context).tensor;
  masks = tfm.encodes(TensorMask{masks}, context).tensor;
  const auto moved = tfm.encodes(TensorPoint{point}, context).tensor, boxed = tfm.encodes(TensorBBox{box}, context).tensor;
  const auto columns = torch::linspace(-1, 1, width).view({1, width}), rows = torch::linspace(-1, 1, height).view({height, 1});
  int followed = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto px = moved[i][0][0].item<double>(), py = moved[i][0][1].item<double>();
    EXPECT_NEAR(boxed[i][0][0].item<double>(), px, 1e-5);
    EXPECT_NEAR(boxed[i][0][3].item<double>(), py, 1e-5);
    if (std::abs(px) > 0.8 || std::abs(py) > 0.8) continue;
    ++followed;
    for (const auto& seen : {images[i][0], masks[i].to(torch::kFloat32)}) {
      const auto total = seen.sum();
      EXPECT_NEAR(((seen * columns).sum() / total).item<double>(), px, 0.03) << i;
      EXPECT_NEAR(((seen * rows).sum() / total).item<double>(), py, 0.04) << i;
    }
  }
  EXPECT_GE(followed, 20);
}

TEST(AffineCoordTfm, BoxesThatFillUpAListStayZero) {
  const auto boxes = torch::zeros({2, 3, 4});
  const auto moved = Zoom({.p = 1, .draw = {2}, .draw_x = {0}, .draw_y = {1}})
                         .encodes(TensorBBox{boxes}, {.split = Split::train})
                         .tensor;
  EXPECT_TRUE(moved.equal(boxes));
}

TEST(AffineCoordTfm, AWarpThatWouldTearThePictureStillGivesFiniteNumbers) {
  const AffineCoordTfm tfm({WarpOptions{.magnitude = 0.99, .p = 1, .draw_x = {0.99}, .draw_y = {-0.99}},
                            ZoomOptions{.min_zoom = 0.1, .p = 1, .draw = {0.1}, .draw_x = {0}, .draw_y = {0}}});
  const auto moved = tfm.encodes(TensorImage{drawn_batch(1, 3, 20, 20)}, {.split = Split::train}).tensor;
  EXPECT_TRUE(moved.isfinite().all().item<bool>());
}

TEST(AffineCoordTfm, DrawsThatAreTooFewAndBatchesThatAreNotFloatsAreNamed) {
  const Rotate tfm({.p = 1, .draw = {1, 2}});
  EXPECT_THROW(tfm.encodes(TensorImage{drawn_batch(3, 3, 4, 4)}, {.split = Split::train}), Error);
  try {
    Rotate().encodes(TensorImage{torch::zeros({1, 3, 4, 4}, torch::kUInt8)}, {.split = Split::train});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.hint(), ::testing::HasSubstr("IntToFloatTensor"));
  }
  EXPECT_THROW(Warp({.magnitude = 1.5}), Error);
  EXPECT_THROW(Zoom({.min_zoom = 0}), Error);
}

TEST(RandomResizedCropGPU, EveryGoldenCaseEqualsFastaiWithPythonsDraws) {
  const Json file = golden("vision/augment_batch.json");
  for (const Json& c : file.at("crop_gpu")) {
    const auto s = shape_of(c);
    const Json& settings = c.at("settings");
    RandomResizedCropGPUOptions options;
    options.min_scale = settings.value("min_scale", options.min_scale);
    options.ratio = settings.value("ratio", options.ratio);
    options.valid_scale = settings.value("valid_scale", options.valid_scale);
    const RandomResizedCropGPU crop(Size{settings.at("size")[1].get<int>(), settings.at("size")[0].get<int>()}, options);
    PythonRandom random(c.at("seed").get<std::uint64_t>());
    const CropDraws draws{.uniform = [&](double a, double b) { return random.uniform(a, b); },
                          .integer = [&](std::int64_t a, std::int64_t b) { return random.randint(a, b); }};
    const Size source{static_cast<int>(s[3]), static_cast<int>(s[2])};
    const Box box = c.at("split") == 0 ? crop.train_box(source, draws) : crop.valid_box(source);
    EXPECT_EQ((Json{box.top, box.left}), c.at("tl"));
    EXPECT_EQ((Json{box.bottom - box.top, box.right - box.left}), c.at("cut"));
    const auto images = crop.apply(TensorImage{drawn_batch(s[0], s[1], s[2], s[3])}, box).tensor;
    EXPECT_LT(difference(images, golden_like(c.at("images"), images)), tolerance);
    const auto masks = crop.apply(TensorMask{drawn_masks(s[0], s[2], s[3])}, box).tensor;
    EXPECT_TRUE(masks.flatten().equal(torch::tensor(c.at("masks").get<std::vector<std::int64_t>>())));
  }
}

TEST(RandomResizedCropGPU, PointsAndBoxesMoveWithTheCrop) {
  const RandomResizedCropGPU crop(20);
  const ItemContext context{.split = Split::train, .seed = 4, .image_size = {60, 40}};
  // A ramp: the value of a pixel says where it came from.
  auto ramp = torch::arange(60, torch::kFloat32).view({1, 1, 1, 60}).expand({1, 1, 40, 60});
  const auto cropped = crop.encodes(TensorImage{ramp}, context).tensor;
  const auto first = cropped[0][0][0][0].item<double>(), last = cropped[0][0][0][19].item<double>();
  const float left = static_cast<float>(2 * first / 60 - 1), right = static_cast<float>(2 * (last + 1) / 60 - 1);
  const auto point = crop.encodes(TensorPoint{torch::tensor({left, 0.f}).view({1, 1, 2})}, context).tensor;
  EXPECT_NEAR(point[0][0][0].item<double>(), -1, 1e-5);
  const auto box = crop.encodes(TensorBBox{torch::tensor({left, -1.f, right, 1.f}).view({1, 1, 4})}, context).tensor;
  EXPECT_NEAR(box[0][0][2].item<double>(), 1, 1e-5);
}

}  // namespace kindling
