// The programs of docs/guide/parts.md, compiled and run (see train_docs_test.cpp).

#include <kindling/train/optim_wrapper.hpp>
#include <kindling/train/plots.hpp>

#include "core/temporary_folder.hpp"
#include "docs/guide.hpp"

#include <gtest/gtest.h>
#include <torch/optim/adamw.h>

using namespace kindling;
using namespace kindling::testing;

TEST(PartsGuide, FindsARate) {
  const TemporaryFolder folder;
  Learner learn = make_learner();
  const fs::path page = folder.path() / "lr_find.html";
  //! rate
  LrFindResult found = learn.lr_find();
  plot_lr_find(found).save(page);
  learn.fit_one_cycle(1, found.valley);
  plot_loss(learn.recorder(), {.skip_start = 0});
  plot_sched(learn.recorder());
  //!
  EXPECT_TRUE(fs::exists(page));
}

TEST(PartsGuide, Schedules) {
  Learner learn = make_learner();
  //! schedules
  Schedule warm_up = combine_scheds({0.1, 0.9}, {SchedLin(1e-5, 1e-2), SchedCos(1e-2, 0)});
  learn.fit_flat_cos(2, 1e-3);  // flat, then a cosine
  learn.fit_sgdr(2, 1, 1e-3);   // cosines of one epoch and of two
  //!
  EXPECT_DOUBLE_EQ(warm_up(0), 1e-5);
  EXPECT_EQ(learn.recorder().epochs.size(), 3u);
}

TEST(PartsGuide, Optimizers) {
  //! optimizers
  OptFunc adam = Adam({.sqr_mom = 0.999, .wd = 0.1});
  OptFunc slow_and_fast = Lookahead(SGD({.mom = 0.9}), {.k = 5});
  OptFunc of_torch = OptimWrapper<torch::optim::AdamW>(torch::optim::AdamWOptions(1e-3));
  //!
  for (const OptFunc& opt_func : {adam, slow_and_fast, of_torch}) {
    LearnerOptions options = quietly();
    options.opt_func = opt_func;
    Learner learn = make_learner(options);
    learn.fit(1, 1e-3);
    EXPECT_EQ(learn.recorder().losses.size(), 5u);
  }
}

TEST(PartsGuide, LossesAndMetrics) {
  //! losses
  LossFunction weighted = CrossEntropyLossFlat({.weight = {1, 1, 4}});
  LossFunction of_two = [](const torch::Tensor& pred, const torch::Tensor& a, const torch::Tensor& b) {
    return (pred - a).square().mean() + (pred - b).abs().mean();
  };
  //!
  //! metrics
  std::vector<Metric> metrics = {error_rate, F1Score({.average = Average::macro}), RocAuc(),
                                 metric_from_name("CohenKappa")};
  Metric right("right", [](const torch::Tensor& pred, const torch::Tensor& targ) {
    return (pred.argmax(-1) == targ).to(torch::kFloat32).mean();
  });
  Metric at_the_end = AccumMetric("largest", [](const torch::Tensor& preds, const torch::Tensor& targs) {
    return preds.max().item<double>();
  }, {.flatten = false});
  //!
  metrics.push_back(right);
  metrics.push_back(at_the_end);
  LearnerOptions options = quietly();
  options.loss_func = weighted;
  options.metrics = metrics;
  Learner learn = make_learner(options);
  learn.fit(1, 1e-3);
  EXPECT_EQ(learn.recorder().values().back().size(), 8u);
  EXPECT_EQ(of_two(torch::ones({2}), LossFunction::Targets{torch::ones({2}), torch::zeros({2})}).item<float>(), 1);
}
