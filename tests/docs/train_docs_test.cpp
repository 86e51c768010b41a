// The programs of docs/guide/train.md, compiled and run. Lines between `//! name` and `//!` stand there word by word
// (pages_docs_test.cpp compares).

#include <kindling/train/callbacks.hpp>
#include <kindling/train/checkpoint.hpp>

#include "core/temporary_folder.hpp"
#include "docs/guide.hpp"

#include <gtest/gtest.h>

using namespace kindling;
using namespace kindling::testing;

TEST(TrainGuide, FitsAndLooks) {
  Learner learn = make_learner();
  //! fits
  learn.fit(3, 1e-2);                        // one learning rate throughout
  learn.fit_one_cycle(3, slice(1e-4, 1e-2)); // up and down again; earlier layers slower
  learn.fine_tune(3, {.base_lr = 2e-3});     // the head alone, then all of it
  //!
  //! look
  double loss = learn.recorder().epochs.back().valid_loss;  // the last row of the table
  std::vector<double> losses = learn.recorder().losses;  // smoothed, one a training batch
  double last = learn.recorder().last("accuracy");
  //!
  EXPECT_EQ(losses.size(), 15u);
  EXPECT_GE(loss + last, 0);
  //! shapes
  std::string layers = learn.summary();
  std::string loop = learn.show_training_loop();
  //!
  EXPECT_NE(layers, loop);
}

TEST(TrainGuide, FitsQuickly) {
  Learner learn = make_learner();
  auto& net = dynamic_cast<TinyNet&>(learn.model.module());
  learn.model.features = [&net](const Model::Inputs& x) { return net.body->forward(x.at(0)); };
  learn.model.head = [&net](const Model::Inputs& x) { return net.head->forward(x.at(0)); };
  //! quick
  learn.quick_fit();                         // the head alone, on features that are computed once
  learn.fine_tune(3, {.freeze_epochs = 0});  // then all of it
  //!
  EXPECT_EQ(learn.recorder().history.size(), 4u);
}

TEST(TrainGuide, Predicts) {
  Learner learn = make_learner();
  //! predict
  std::vector<double> values = learn.validate();        // valid_loss, then the metrics
  Preds p = learn.get_preds({.with_decoded = true, .with_loss = true});
  torch::Tensor worst = std::get<1>(p.losses.topk(3));  // items that the model gets wrong
  Preds raw = learn.get_preds({.act = [](const torch::Tensor& x) { return x; }});
  TtaPreds better = learn.tta({.n = 4});                // augmented, averaged
  //!
  EXPECT_EQ(values.size(), 2u);
  EXPECT_EQ(worst.size(0), 3);
  EXPECT_EQ(raw.preds.sizes(), better.preds.sizes());
}

TEST(TrainGuide, Saves) {
  const TemporaryFolder folder;
  LearnerOptions options = quietly();
  options.path = folder.path();
  Learner learn = make_learner(options);
  learn.fit(1, 1e-2);
  //! save
  learn.save("stage-1");  // path/models/stage-1.safetensors: weights and optimizer
  learn.load("stage-1");
  //!
  const auto saved = learn.get_preds().preds;
  learn.fit(1, 1e-1);
  EXPECT_FALSE(torch::equal(learn.get_preds().preds, saved));
  learn.load("stage-1");
  EXPECT_TRUE(torch::equal(learn.get_preds().preds, saved));
}

TEST(TrainGuide, Survives) {
  const TemporaryFolder folder;
  Learner learn = make_learner();
  const fs::path run = folder / "run";
  //! survive
  learn.add_cb(std::make_shared<Checkpoints>(CheckpointOptions{.folder = run / "checkpoints"}));
  if (auto found = last_checkpoint(run / "checkpoints")) learn.resume(std::move(found->state));
  learn.fine_tune(2);
  //!
  Learner next = make_learner();
  next.add_cb(std::make_shared<Checkpoints>(CheckpointOptions{.folder = run / "checkpoints"}));
  next.resume(last_checkpoint(run / "checkpoints")->state);
  next.fine_tune(2);
  EXPECT_TRUE(torch::equal(next.get_preds().preds, learn.get_preds().preds)) << "all of it was done already";
}

TEST(TrainGuide, TakesAnyModelAndLoss) {
  auto dls = class_loaders(class_pairs(22, 1), class_pairs(7, 2));
  //! own
  auto right = [](const torch::Tensor& pred, const torch::Tensor& targ) {
    return (pred.argmax(-1) == targ).to(torch::kFloat32).mean();
  };
  auto loss = [](const torch::Tensor& pred, const torch::Tensor& targ) {
    return torch::nll_loss(pred.log_softmax(-1), targ);
  };
  Learner learn(dls, torch::nn::Linear(6, 3),
                {.opt_func = SGD({.mom = 0.9}), .loss_func = loss, .metrics = {{"right", right}}});
  //!
  learn.remove_cb("ProgressCallback");
  learn.fit(1, 0.1);
  EXPECT_EQ(learn.recorder().columns()[3], "right");
}
