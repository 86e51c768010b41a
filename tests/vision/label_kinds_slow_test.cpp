// Every kind of target learns from drawn photos, predicts, and is the same after export and load.
#include <kindling/core/random.hpp>
#include <kindling/vision.hpp>

#include "vision/drawn_photos.hpp"

#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/conv.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace kindling {

using namespace testing;

namespace {

constexpr int side = 32;
constexpr int n_photos = 200;

/// Two convolutions whose 8 x 8 places are kept as features: points and boxes need to know where.
struct PlacesBackbone final : Backbone {
  torch::nn::Conv2d first{nullptr}, second{nullptr};
  explicit PlacesBackbone(const ModelOptions& options) {
    using torch::nn::Conv2dOptions;
    first = register_module("first",
                            torch::nn::Conv2d(Conv2dOptions(options.in_channels, 8, 3).stride(2).padding(1)));
    second = register_module("second", torch::nn::Conv2d(Conv2dOptions(8, 8, 3).stride(2).padding(1)));
  }
  torch::Tensor forward_features(torch::Tensor x) override {
    return second->forward(first->forward(x).relu()).relu().reshape({x.size(0), num_features(), 1, 1});
  }
  torch::Tensor forward(torch::Tensor) override { throw std::logic_error("no classifier"); }
  int num_features() const override { return 8 * (side / 4) * (side / 4); }
  std::vector<std::vector<std::shared_ptr<torch::nn::Module>>> groups() const override {
    return {{first.ptr(), second.ptr()}};
  }
};

/// What one photo shows: a red disc, and squares in the corners where their label is given.
struct Scene {
  fs::path file;
  double x = 0, y = 0, radius = 0;
  std::vector<std::string> labels;
};

class EveryTarget : public ::testing::Test {
 protected:
  EveryTarget() {
    register_model({.name = "places_test_net",
                    .make = [](const ModelOptions& o) { return std::make_shared<PlacesBackbone>(o); }});
    torch::manual_seed(7);
    CounterRng rng(11);
    for (int i = 0; i < n_photos; ++i) scenes_.push_back(draw(i, rng));
  }

  Scene draw(int i, CounterRng& rng) const {
    Scene scene{folder_ / fmt::format("{:03}.png", i)};
    Image image = ground({side, side}, {40, 60, 80});
    scene.radius = rng.uniform(3, 7);
    scene.x = rng.uniform(8, side - 8);
    scene.y = rng.uniform(8, side - 8);
    const std::pair<const char*, Colour> kinds[] = {
        {"green", {30, 220, 40}}, {"white", {250, 250, 250}}, {"blue", {20, 30, 250}}};
    for (int k = 0; k < 3; ++k) {
      if (!rng.bernoulli(0.5)) continue;
      scene.labels.push_back(kinds[k].first);
      square(image, k == 1 ? side - 7 : 1, k == 2 ? side - 7 : 1, 6, kinds[k].second);
    }
    disc(image, scene.x, scene.y, scene.radius, {230, 30, 30});
    save_png(image, scene.file);
    return scene;
  }

  DataLoaders loaders(std::vector<Block> blocks, Getters get_y) const {
    blocks.insert(blocks.begin(), ImageBlock());
    const DataBlock block({.blocks = std::move(blocks),
                           .splitter = EndSplitter(0.2),
                           .get_x = &Scene::file,
                           .get_y = std::move(get_y),
                           .batch_tfms = {Normalize(imagenet_stats)},
                           .n_inp = 1});
    return block.dataloaders(to_items(scenes_), {.bs = 20, .seed = 1});
  }

  Learner trained(DataLoaders dls, VisionLearnerOptions options = {}) const {
    options.pretrained = false;
    options.head.lin_ftrs = {64};
    options.head.ps = 0;
    options.listener = silent_listener();
    Learner learn = vision_learner(std::move(dls), "places_test_net", std::move(options));
    learn.fit_one_cycle(40, 1e-2);
    return learn;
  }

  /// The same answer after a walk through a file.
  Prediction through_a_file(Learner& learn, const fs::path& photo) const {
    const Prediction before = learn.predict(photo);
    learn.export_to(folder_ / "model.safetensors");
    Learner loaded = load_learner(folder_ / "model.safetensors");
    const Prediction after = loaded.predict(photo);
    EXPECT_EQ(after.label, before.label);
    EXPECT_TRUE(torch::allclose(after.probs, before.probs, 1e-5, 1e-5));
    return after;
  }

  const Scene& last() const { return scenes_.back(); }

  TemporaryFolder folder_;
  std::vector<Scene> scenes_;
};

}  // namespace

TEST_F(EveryTarget, SeveralLabelsAPhoto) {
  Learner learn = trained(loaders({MultiCategoryBlock()}, &Scene::labels));
  const Preds preds = learn.get_preds();
  const double right = ((preds.preds > 0.5) == (preds.targs > 0.5)).to(torch::kFloat32).mean().item<double>();
  EXPECT_GT(right, 0.97);
  const Prediction said = through_a_file(learn, last().file);
  EXPECT_EQ(std::get<Categories>(said.value).names.size(), last().labels.size());
  for (const std::string& label : last().labels)
    EXPECT_NE(said.label.find(label), std::string::npos) << said.label;
}

TEST_F(EveryTarget, ANumberAPhoto) {
  Learner learn = trained(loaders({RegressionBlock()}, &Scene::radius), {.head = {.y_range = {{0, 10}}}});
  const Preds preds = learn.get_preds();
  const double off = (preds.preds.reshape({-1}) - preds.targs).abs().mean().item<double>();
  EXPECT_LT(off, 0.5) << "pixels of a radius between 3 and 7; saying the middle would be 1 off";
  const Prediction said = through_a_file(learn, last().file);
  EXPECT_NEAR(std::get<Number>(said.value).value, last().radius, 2);
}

TEST_F(EveryTarget, PointsOnAPhoto) {
  const Getter points = [](const Scene& s) {
    return Points{{{static_cast<float>(s.x), static_cast<float>(s.y)}}};
  };
  Learner learn = trained(loaders({PointBlock()}, points));
  EXPECT_EQ(learn.model.spec.at("head").at("y_range").dump(), "[-1.0,1.0]") << "of itself, for points";
  double off = 0;
  for (int i = n_photos * 4 / 5; i < n_photos; ++i) {
    const Point said = std::get<Points>(learn.predict(scenes_[i].file).value).points.at(0);
    off += std::hypot(said.x - scenes_[i].x, said.y - scenes_[i].y) / (n_photos / 5.0);
  }
  EXPECT_LT(off, 4) << "pixels on photos of 32; saying the middle of each would be 6 off";
  const Prediction said = through_a_file(learn, last().file);
  EXPECT_NEAR(std::get<Points>(said.value).points[0].x, last().x, 8);
}

TEST_F(EveryTarget, BoxesOnAPhoto) {
  const Getter boxes = [](const Scene& s) {
    const auto f = [](double v) { return static_cast<float>(v); };
    return BBoxes{{{f(s.x - s.radius), f(s.y - s.radius), f(s.x + s.radius), f(s.y + s.radius)}}};
  };
  const Getter labels = [](const Scene&) { return std::vector<std::string>{"disc"}; };
  const DataLoaders with_labels = loaders({BBoxBlock(), BBoxLblBlock()}, {boxes, labels});
  EXPECT_EQ(with_labels.vocab(), (std::vector<std::string>{"#na#", "disc"}));
  const Batch batch = with_labels.train().one_batch();
  EXPECT_EQ(batch.y.at(0).sizes(), (torch::IntArrayRef{batch.size(), 1, 4}));
  EXPECT_EQ(batch.y.at(1).sizes(), (torch::IntArrayRef{batch.size(), 1}));
  // One box a photo needs no more than a regression of its sides.
  Learner learn = trained(loaders({BBoxBlock()}, boxes), {.n_out = 4, .head = {.y_range = {{-1, 1}}}, .loss_func = MSELossFlat()});
  const Preds preds = learn.get_preds();
  const double off =
      (preds.preds.reshape({-1}) - preds.targs.reshape({-1})).abs().mean().item<double>() * side / 2;
  EXPECT_LT(off, 2) << "pixels on photos of 32";
  EXPECT_EQ(std::get<torch::Tensor>(through_a_file(learn, last().file).value).numel(), 4);
}

}  // namespace kindling
