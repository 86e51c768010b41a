// Photo models trained on a CUDA device, and what is exported there.
#include <kindling/serve.hpp>
#include <kindling/vision/aug_transforms.hpp>

#include "on_gpu.hpp"
#include "vision/drawn_photos.hpp"

#include <gtest/gtest.h>

namespace kindling {

using namespace testing;

namespace {

using PhotosGpu = testing::OnGpu;

/// Red discs and blue squares on dark grounds.
void draw_photos(const fs::path& folder, int n) {
  for (int i = 0; i < n; ++i) {
    Image image = ground({64, 48}, {static_cast<std::uint8_t>(i), 40, 40});
    if (i % 2 == 0)
      disc(image, 20 + i % 9, 24, 12, {220, 40, 40});
    else
      square(image, 15 + i % 9, 12, 22, {40, 40, 220});
    save_png(image, folder / (i % 2 == 0 ? "disc" : "square") / (std::to_string(i) + ".png"));
  }
}

}  // namespace

TEST_F(PhotosGpu, ALearnerTrainsAndItsExportSaysTheSameOnTheCpu) {
  const TemporaryFolder folder;
  draw_photos(folder / "photos", 60);
  torch::manual_seed(1);
  auto dls = ImageDataLoaders::from_folder(folder / "photos", {.valid_pct = 0.2,
                                                               .seed = 1,
                                                               .item_tfms = {Resize(48)},
                                                               .batch_tfms = aug_transforms(),
                                                               .bs = 8,
                                                               .device = torch::kCUDA});
  Learner learn = vision_learner(
      dls, "resnet18", {.metrics = {error_rate}, .pretrained = false, .listener = silent_listener()});
  learn.fit_one_cycle(12, 3e-3);
  EXPECT_LT(learn.validate()[1], 0.2);
  EXPECT_TRUE(learn.model.module().parameters().front().is_cuda());
  learn.export_to(folder / "model.safetensors");
  EXPECT_TRUE(learn.model.module().parameters().front().is_cuda());
  const auto preds = learn.get_preds();
  const Predictor predictor(folder / "model.safetensors");
  const fs::path photo = folder / "photos/disc/2.png";
  const auto there = learn.predict(photo), here = predictor.predict(photo);
  EXPECT_EQ(there.label, here.label);
  EXPECT_LT((there.probs.cpu() - here.probs).abs().max().item<double>(), 5e-3);
}

TEST_F(PhotosGpu, QuickFitKeepsItsFeaturesOnTheDevice) {
  const TemporaryFolder folder;
  draw_photos(folder / "photos", 40);
  torch::manual_seed(1);
  auto dls = ImageDataLoaders::from_folder(
      folder / "photos", {.valid_pct = 0.2, .seed = 1, .item_tfms = {Resize(48)}, .bs = 8, .device = torch::kCUDA});
  Learner learn = vision_learner(
      dls, "resnet18", {.metrics = {error_rate}, .pretrained = false, .listener = silent_listener()});
  learn.quick_fit();
  EXPECT_LT(learn.validate()[1], 0.5);
}

}  // namespace kindling
