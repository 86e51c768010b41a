#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/nn/weights.hpp>

#include "golden.hpp"
#include "train/small_learner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn.h>

namespace kindling {

namespace nn = torch::nn;
using testing::golden;
using testing::pair_loaders;
using testing::tensor_from;

namespace {

LrCurve curve_from(const Json& json) {
  LrCurve curve{json.at("lrs").get<std::vector<double>>(), {}};
  for (const Json& loss : json.at("losses")) curve.losses.push_back(loss.is_null() ? NAN : loss.get<double>());
  return curve;
}

/// The net of make_engine.py with its weights.
nn::Sequential golden_net(const Json& state) {
  nn::Sequential net(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 3));
  Weights::Named tensors;
  for (const auto& [name, value] : state.items()) tensors.emplace_back(name, tensor_from(value));
  load_state_dict(*net, Weights(std::move(tensors)));
  return net;
}

Learner golden_learner(const Json& repeat, bool shuffle = false) {
  return Learner(pair_loaders(tensor_from(repeat.at("x")),
                              torch::tensor(repeat.at("y").get<std::vector<std::int64_t>>()),
                              repeat.at("bs").get<int>(), shuffle),
                 golden_net(repeat.at("state")), {.metrics = {accuracy}, .listener = silent_listener()});
}

std::vector<torch::Tensor> weights_of(Learner& learn) {
  std::vector<torch::Tensor> all;
  for (const auto& [name, tensor] : state_dict(learn.model.module())) all.push_back(tensor.clone());
  return all;
}

bool all_equal(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const torch::Tensor& x, const torch::Tensor& y) { return torch::equal(x, y); });
}

}  // namespace

TEST(LrSuggestions, AllFourEqualFastaisOnRecordedCurves) {
  const Json file = golden("train/engine_lr_find.json");
  ASSERT_EQ(file.at("curves").size(), 7u);
  for (const Json& curve : file.at("curves")) {
    const auto found = suggestions_of(curve_from(curve), curve.at("num_it").get<int>());
    ASSERT_EQ(found.suggestions.size(), 4u);
    for (const auto& [name, ours] : found.suggestions) {
      SCOPED_TRACE(curve.at("name").get<std::string>() + " " + name);
      const Json& theirs = curve.at("suggestions").at(name);
      if (theirs.is_null()) {
        EXPECT_TRUE(std::isnan(ours.lr));
        continue;
      }
      EXPECT_NEAR(ours.lr / theirs[0].get<double>(), 1, 1e-6);
      EXPECT_NEAR(ours.at_lr / theirs[1].get<double>(), 1, 1e-6);
      EXPECT_NEAR(ours.at_loss, theirs[2].get<double>(), 1e-5);
    }
  }
}

TEST(LrSuggestions, ValleyOfTheNotebooksCurves) {
  const auto index_of = [](std::vector<double> losses) {
    LrCurve curve{{}, std::move(losses)};
    for (std::size_t i = 0; i < curve.losses.size(); ++i) curve.lrs.push_back(static_cast<double>(i + 1));
    return suggest::valley(curve).lr - 1;
  };
  EXPECT_EQ(index_of({5, 4.9, 4.95, 4.5, 4, 3.5, 3, 2.6, 2.5, 2.7, 3, 4}), 3);
  EXPECT_EQ(index_of({10, 9, 8, 7, 6, 5, 4, 3, 2, 1}), 3);
}

TEST(LrSuggestions, CurveThatIsTooShortSuggestsNothing) {
  for (std::size_t n : {0, 1, 5, 15}) {
    const auto found = suggestions_of({std::vector<double>(n, 0.1), std::vector<double>(n, 1.0)}, 100);
    EXPECT_TRUE(std::isnan(found.valley)) << n;
    EXPECT_TRUE(std::isnan(found.slide)) << n;
    EXPECT_EQ(found.curve.lrs.size(), n);
  }
}

TEST(LrFind, CurveOfTheMockTrainingEqualsFastais) {
  const Json file = golden("train/engine_lr_find.json");
  const Json& theirs = file.at("curves")[0];
  Learner learn = golden_learner(file.at("repeat"));
  const auto found = learn.lr_find();
  ASSERT_EQ(found.curve.lrs.size(), theirs.at("lrs").size());
  for (std::size_t i = 0; i < found.curve.lrs.size(); ++i) {
    EXPECT_NEAR(found.curve.lrs[i] / theirs.at("lrs")[i].get<double>(), 1, 1e-9) << i;
    const double loss = theirs.at("losses")[i].get<double>();
    EXPECT_NEAR(found.curve.losses[i], loss, 1e-4 * std::max(1.0, loss)) << i;
  }
  EXPECT_NEAR(found.valley / theirs.at("suggestions").at("valley")[0].get<double>(), 1, 1e-6);
  EXPECT_FALSE(found.interrupted);
}

TEST(LrFind, LeavesEverythingAsItWas) {
  const Json repeat = golden("train/engine_lr_find.json").at("repeat");
  Learner searched = golden_learner(repeat, true), plain = golden_learner(repeat, true);
  for (Learner* learn : {&searched, &plain}) learn->fit(1, 0.01);
  torch::manual_seed(7);
  const auto random_then = torch::rand({3});
  torch::manual_seed(7);
  const auto weights = weights_of(searched);
  const auto losses = searched.recorder().losses;
  const Json hypers = searched.opt->hypers_to_json();
  searched.lr_find({.num_it = 30});
  EXPECT_TRUE(all_equal(weights_of(searched), weights));
  EXPECT_EQ(searched.opt->hypers_to_json(), hypers);
  EXPECT_EQ(searched.recorder().losses, losses);
  EXPECT_TRUE(torch::equal(torch::rand({3}), random_then));
  for (Learner* learn : {&searched, &plain}) learn->fit_one_cycle(2, 0.01);
  EXPECT_TRUE(all_equal(weights_of(searched), weights_of(plain))) << "order of the items and optimizer state";
  EXPECT_EQ(searched.recorder().history.size(), plain.recorder().history.size());
}

TEST(LrFind, RatesMayDifferByGroupAndFewIterationsAreSix) {
  const Json repeat = golden("train/engine_lr_find.json").at("repeat");
  Learner learn = golden_learner(repeat);
  auto net = golden_net(repeat.at("state"));
  Model model(net);
  model.groups = {{net->ptr(0)}, {net->ptr(2)}};
  learn.model = model;
  const auto found = learn.lr_find({.start_lr = {1e-5, 1e-4}, .end_lr = {1e-3, 1e-2}, .num_it = 1});
  ASSERT_EQ(found.curve.lrs.size(), 6u);
  EXPECT_NEAR(found.curve.lrs[3], 1e-3, 1e-12);
}

TEST(LrFind, CtrlCEndsItAndPutsEverythingBack) {
  struct PressCtrlC {
    void after_step(Learner& learn) {
      if (learn.train_iter == 3) request_interrupt();
    }
  };
  Learner learn = golden_learner(golden("train/engine_lr_find.json").at("repeat"));
  const auto weights = weights_of(learn);
  learn.add_cb(PressCtrlC{});
  const auto found = learn.lr_find();
  clear_interrupt();
  EXPECT_TRUE(found.interrupted);
  EXPECT_FALSE(learn.interrupted);
  EXPECT_LT(found.curve.lrs.size(), 6u);
  EXPECT_TRUE(all_equal(weights_of(learn), weights));
}

TEST(LrFind, ErrorInItPutsEverythingBack) {
  struct Fails {
    void after_step(Learner& learn) {
      if (learn.train_iter == 3) throw std::runtime_error("mine");
    }
  };
  Learner learn = golden_learner(golden("train/engine_lr_find.json").at("repeat"));
  const auto weights = weights_of(learn);
  learn.add_cb(Fails{});
  EXPECT_THROW(learn.lr_find(), std::runtime_error);
  EXPECT_TRUE(all_equal(weights_of(learn), weights));
  EXPECT_TRUE(learn.recorder().losses.empty());
}

}  // namespace kindling
