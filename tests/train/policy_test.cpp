// Hyper-parameters of every step of the learner's fits, beside fastai's.
#include <kindling/core/error.hpp>

#include "golden.hpp"
#include "train/small_learner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn.h>

namespace kindling {

namespace nn = torch::nn;
using testing::golden;
using testing::pair_loaders;

namespace {

struct RecordHypers {
  static constexpr int order = 90;
  std::vector<std::vector<double>> lr, mom;
  double wd = 0;
  void before_step(Learner& learn) {
    lr.emplace_back();
    mom.emplace_back();
    for (std::size_t g = 0; g < learn.opt->n_groups(); ++g) {
      lr.back().push_back(learn.opt->hypers(g).at("lr"));
      mom.back().push_back(learn.opt->hypers(g).at("mom"));
    }
    wd = learn.opt->hypers(0).at("wd");
  }
};

/// Three groups of one layer each.
Model three_groups() {
  nn::Sequential net(nn::Linear(2, 2), nn::Linear(2, 2), nn::Linear(2, 1));
  Model model(net);
  model.groups = {{net->ptr(0)}, {net->ptr(1)}, {net->ptr(2)}};
  return model;
}

/// The call of a golden run; empty for one that this test does not know.
std::function<void(Learner&, const Callbacks&)> call_of(const std::string& call) {
  using Cbs = const Callbacks&;
  const std::map<std::string, std::function<void(Learner&, Cbs)>> calls = {
      {"fit(2, lr)", [](Learner& l, Cbs c) { l.fit(2, 3e-3, {.cbs = c}); }},
      {"fit(1, slice(1e-4, 1e-2), wd=0.1)",
       [](Learner& l, Cbs c) { l.fit(1, slice(1e-4, 1e-2), {.wd = 0.1, .cbs = c}); }},
      {"fit(1) with Learner(lr=5e-3, wd=0.2)", [](Learner& l, Cbs c) { l.fit(1, {.cbs = c}); }},
      {"fit_one_cycle(1, 1e-2)", [](Learner& l, Cbs c) { l.fit_one_cycle(1, 1e-2, {.cbs = c}); }},
      {"fit_one_cycle(2, slice(1e-4, 1e-2))",
       [](Learner& l, Cbs c) { l.fit_one_cycle(2, slice(1e-4, 1e-2), {.cbs = c}); }},
      {"fit_one_cycle(3, slice(1e-2))",
       [](Learner& l, Cbs c) { l.fit_one_cycle(3, slice(1e-2), {.cbs = c}); }},
      {"fit_one_cycle(1, 3e-3, div=10, div_final=1e3, pct_start=0.4, moms=(0.9, 0.8, 0.9))",
       [](Learner& l, Cbs c) {
         l.fit_one_cycle(1, 3e-3,
                         {.div = 10, .div_final = 1e3, .pct_start = 0.4, .moms = std::array{0.9, 0.8, 0.9}, .cbs = c});
       }},
      {"fit_one_cycle(1) with Learner(lr=1e-3)",
       [](Learner& l, Cbs c) { l.fit_one_cycle(1, std::nullopt, {.cbs = c}); }},
      {"fit_flat_cos(2, 1e-2)", [](Learner& l, Cbs c) { l.fit_flat_cos(2, 1e-2, {.cbs = c}); }},
      {"fit_sgdr(2, 1, 1e-2)", [](Learner& l, Cbs c) { l.fit_sgdr(2, 1, 1e-2, {.cbs = c}); }},
      {"fine_tune(2)", [](Learner& l, Cbs c) { l.fine_tune(2, {.cbs = c}); }},
      {"fine_tune(3, 1e-3, freeze_epochs=2)",
       [](Learner& l, Cbs c) { l.fine_tune(3, {.base_lr = 1e-3, .freeze_epochs = 2, .cbs = c}); }}};
  const auto found = calls.find(call);
  return found == calls.end() ? nullptr : found->second;
}

void expect_near(const std::vector<std::vector<double>>& ours, const Json& theirs, double tolerance) {
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    for (std::size_t g = 0; g < ours[i].size(); ++g)
      EXPECT_NEAR(ours[i][g], theirs[i][g].get<double>(), tolerance) << "step " << i << " group " << g;
  }
}

}  // namespace

TEST(Policy, HypersOfEveryStepEqualFastais) {
  const Json file = golden("train/schedules.json");
  ASSERT_EQ(file.at("runs").size(), 12u);
  for (const Json& run : file.at("runs")) {
    const std::string call = run.at("call").get<std::string>();
    SCOPED_TRACE(call);
    const auto fit = call_of(call);
    ASSERT_TRUE(fit);
    const std::int64_t items = 2 * run.at("batches").get<std::int64_t>();
    LearnerOptions options{.loss_func = MSELossFlat(), .listener = silent_listener()};
    if (call.ends_with("wd=0.2)")) {
      options.lr = 5e-3;
      options.wd = 0.2;
    }
    Learner learn(pair_loaders(torch::randn({items, 2}), torch::randn({items, 1}), 2), three_groups(), options);
    auto record = std::make_shared<RecordHypers>();
    fit(learn, {Callback(record)});
    expect_near(record->lr, run.at("lr"), 1e-9);
    expect_near(record->mom, run.at("mom"), 1e-7);
    EXPECT_NEAR(record->wd, run.at("wd")[0].get<double>(), 1e-12);
  }
}

TEST(Policy, EpochsOfSgdrGrowByTheMultiple) {
  EXPECT_EQ(sgdr_epochs(3, 1), 7);
  EXPECT_EQ(sgdr_epochs(2, 5, 3), 20);
  EXPECT_EQ(sgdr_epochs(4, 2, 1), 8);
  EXPECT_THROW(sgdr_epochs(0, 1), Error);
  EXPECT_THROW(sgdr_epochs(40, 1), Error);
}

TEST(Policy, OptimizerWithoutMomentumIsFitAllTheSame) {
  struct Plain final : Optimizer {
    explicit Plain(ParamGroups g) : Optimizer(std::move(g), Hypers{{"lr", 0.1}, {"wd", 0}}) {}
    void step_params(const Tensors& params, const Tensors& grads, const Hypers& h, double) override {
      for (std::size_t i = 0; i < params.size(); ++i) params[i].add_(grads[i], -h.at("lr"));
    }
  };
  Learner learn(pair_loaders(torch::randn({8, 2}), torch::randn({8, 1}), 2), nn::Linear(2, 1),
                {.opt_func = [](ParamGroups g) { return std::make_unique<Plain>(std::move(g)); },
                 .loss_func = MSELossFlat(),
                 .listener = silent_listener()});
  learn.fit_one_cycle(1, 0.1);
  EXPECT_EQ(learn.recorder().losses.size(), 4u);
  EXPECT_TRUE(learn.recorder().moms.empty());
}

}  // namespace kindling
