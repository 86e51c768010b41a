#include <kindling/core/error.hpp>
#include <kindling/data/categories.hpp>
#include <kindling/data/normalize.hpp>
#include <kindling/train/callbacks.hpp>

#include <cstring>

#include "core/temporary_folder.hpp"
#include "train/golden_learner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using namespace testing;
using ::testing::HasSubstr;

namespace {

/// Doubles numbers of training splits.
struct Double {
  static constexpr const char* name = "TestDouble";
  static constexpr Split only_on = Split::train;
  torch::Tensor encodes(const torch::Tensor& x) const { return x * 2; }
};

}  // namespace

TEST(GetPreds, GivesInputsTargetsItemsAndRawOutputs) {
  Learner learn = tiny_learner();
  const Preds p = learn.get_preds({.with_input = true, .with_loss = true});
  ASSERT_EQ(p.inputs.size(), 1u);
  EXPECT_EQ(p.inputs[0].sizes(), (std::vector<std::int64_t>{7, 6}));
  EXPECT_EQ(p.items, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6}));
  const Preds raw = learn.get_preds({.act = [](const torch::Tensor& x) { return x; }});
  EXPECT_TRUE(torch::allclose(raw.preds.softmax(-1), p.preds));
  EXPECT_NEAR(p.losses.mean().item<double>(), learn.validate()[0], 1e-6);
  EXPECT_FALSE(learn.get_preds({.with_targs = false}).targs.defined());
  EXPECT_FALSE(learn.get_preds({.with_preds = false}).preds.defined());
}

TEST(GetPreds, OfAShuffledLoaderComeInTheDataSetsOrderUnlessToldOtherwise) {
  Learner learn = tiny_learner();
  DataLoaderOptions shuffled = learn.dls.valid().options();
  shuffled.shuffle = true;
  const DataLoader dl = learn.dls.valid().with(shuffled);
  const Preds in_order = learn.get_preds(), sorted = learn.get_preds({.dl = dl});
  EXPECT_TRUE(torch::allclose(sorted.preds, in_order.preds));
  EXPECT_TRUE(torch::equal(sorted.targs, in_order.targs));
  const Preds as_drawn = learn.get_preds({.dl = dl, .reorder = false});
  EXPECT_NE(as_drawn.items, sorted.items);
  for (std::size_t row = 0; row < as_drawn.items.size(); ++row)
    EXPECT_TRUE(torch::allclose(as_drawn.preds[static_cast<std::int64_t>(row)], in_order.preds[as_drawn.items[row]]));
}

TEST(GetPreds, CanWriteEachBatchToAFile) {
  const TemporaryFolder folder;
  Learner learn = tiny_learner();
  const Preds nothing = learn.get_preds({.save_preds = folder / "preds", .save_targs = folder / "targs"});
  EXPECT_FALSE(nothing.preds.defined());
  std::vector<torch::Tensor> parts;
  for (int batch = 0; batch < 2; ++batch)
    parts.push_back(Weights::open(folder / "preds" / (std::to_string(batch) + ".safetensors")).at("0").clone());
  EXPECT_TRUE(torch::allclose(torch::cat(parts).softmax(-1), learn.get_preds().preds));
  EXPECT_TRUE(fs::exists(folder / "targs/1.safetensors"));
}

TEST(GetPreds, WithinAFitLeavesTheLoopAsItWas) {
  struct Ask {
    int order = 20;
    bool run_valid = false;
    int seen = 0;
    void after_loss(Learner& learn) {
      const auto loss = learn.loss;
      const auto iter = learn.iter;
      learn.get_preds({.inner = true});
      seen += learn.training && learn.model.module().is_training() && learn.iter == iter &&
              torch::equal(learn.loss, loss);
    }
  };
  auto ask = std::make_shared<Ask>();
  Learner asked = tiny_learner({Callback(ask)}), plain = tiny_learner();
  torch::manual_seed(3);
  asked.fit(2, 0.05);
  torch::manual_seed(3);
  plain.fit(2, 0.05);
  EXPECT_EQ(ask->seen, 10);
  EXPECT_EQ(asked.recorder().losses, plain.recorder().losses);
}

TEST(GetPreds, OfNothingIsAClearError) {
  Learner learn = tiny_learner();
  try {
    learn.get_preds({.dl = learn.dls.test_dl(Items{})});
    FAIL() << "no error";
  } catch (const Error&) {
  }
}

TEST(Tta, AveragesActivatedPredictionsAsFastai) {
  const Json file = golden("train/callbacks.json");
  Learner learn = golden_learner(file.at("fits"), {});
  const auto near = [&](const torch::Tensor& ours, const char* what) {
    EXPECT_LT((ours - tensor_from(file.at("tta").at(what))).abs().max().item<double>(), 2e-6) << what;
  };
  const Transforms doubled = {Double{}};
  near(learn.tta({.batch_tfms = doubled}).preds, "plain");
  near(learn.tta({.batch_tfms = doubled, .use_max = true}).preds, "max");
  near(learn.tta({.n = 2, .batch_tfms = doubled, .beta = 0.5}).preds, "beta 0.5");
  const TtaPreds apart = learn.tta({.batch_tfms = doubled, .beta = std::nullopt});
  EXPECT_TRUE(torch::allclose(apart.plain, learn.get_preds().preds));
  near(torch::lerp(apart.preds, apart.plain, 0.25), "plain");
  EXPECT_TRUE(torch::equal(apart.targs, learn.get_preds().targs));
}

namespace {

/// Grey pictures, all of one class.
struct GreyPictures final : Dataset {
  std::string label;
  explicit GreyPictures(std::string name) : label(std::move(name)) {}
  std::int64_t size() const override { return 4; }
  Values raw(std::int64_t) const override {
    Image image({16, 16}, 3);
    std::memset(image.data(), 128, image.bytes());
    return {image, Category{label}};
  }
  Value item(std::int64_t i) const override { return Number{static_cast<double>(i)}; }
};

/// Coloured pixels of the results of a model that always says "cat": {green, red}.
std::pair<int, int> colours_of_results(const std::string& label) {
  auto pipeline = std::make_shared<Pipeline>(Pipeline{.blocks = {{}, {Categorize({.vocab = {"cat", "dog"}})}},
                                                      .batch_tfms = {IntToFloatTensor{}},
                                                      .target = TargetKind::category});
  pipeline->setup({{Value{}, Category{"cat"}}, {Value{}, Category{"dog"}}});
  const DataLoader dl(std::make_shared<GreyPictures>(label), pipeline, {.bs = 4});
  nn::Sequential net(nn::Flatten(), nn::Linear(3 * 16 * 16, 2));
  {
    torch::NoGradGuard no_grad;
    for (auto& p : net->parameters()) p.zero_();
    net->parameters()[1][0] = 1;
  }
  Learner learn(DataLoaders(dl, dl), net, quietly());
  const Picture picture = learn.show_results({.max_n = 4, .cell = 64});
  std::pair<int, int> counts;
  const Image& image = picture.image();
  for (std::size_t at = 0; at < image.bytes(); at += 3) {
    const int red = image.data()[at], green = image.data()[at + 1];
    counts.first += green > red + 40;
    counts.second += red > green + 40;
  }
  return counts;
}

}  // namespace

TEST(ShowResults, CaptionsRightOnesInGreenAndWrongOnesInRed) {
  const auto right = colours_of_results("cat"), wrong = colours_of_results("dog");
  EXPECT_GT(right.first, 50);
  EXPECT_EQ(right.second, 0);
  EXPECT_GT(wrong.second, 50);
  EXPECT_EQ(wrong.first, 0);
}

TEST(Learner, TakesSeveralInputsAndTargets) {
  struct Rows final : Dataset {
    torch::Tensor a = torch::randn({12, 3}), b = torch::randn({12, 2});
    torch::Tensor y = torch::randn({12, 1}), z = torch::randn({12, 1});
    std::int64_t size() const override { return 12; }
    Values raw(std::int64_t i) const override { return {a[i], b[i], y[i], z[i]}; }
    Value item(std::int64_t i) const override { return Number{static_cast<double>(i)}; }
  };
  struct TwoInputs : nn::Module {
    nn::Linear left{3, 2}, right{2, 2};
    TwoInputs() {
      register_module("left", left);
      register_module("right", right);
    }
  };
  auto net = std::make_shared<TwoInputs>();
  const Model model(net, [net](const Model::Inputs& x) {
    return net->left->forward(x.at(0)) + net->right->forward(x.at(1));
  });
  auto pipeline = std::make_shared<Pipeline>(
      Pipeline{.blocks = {{}, {}, {}, {}}, .n_inp = 2, .target = TargetKind::other});
  const DataLoader dl(std::make_shared<Rows>(), pipeline, {.bs = 4, .split = Split::train});
  const auto both = [](const torch::Tensor& p, const torch::Tensor& y, const torch::Tensor& z) {
    return (p.narrow(1, 0, 1) - y).square().mean() + (p.narrow(1, 1, 1) - z).square().mean();
  };
  Learner learn(DataLoaders(dl, dl), model, {.loss_func = both, .listener = silent_listener()});
  learn.fit(30, 0.05);
  EXPECT_LT(learn.recorder().losses.back(), learn.recorder().losses.front());
  const Preds p = learn.get_preds({.with_input = true});
  EXPECT_EQ(p.inputs.size(), 2u);
  ASSERT_EQ(p.all_targs.size(), 2u);
  EXPECT_TRUE(torch::equal(p.all_targs[1], dynamic_cast<const Rows&>(dl.dataset()).z));
}

}  // namespace kindling
