// The programs of docs/guide/callbacks.md, compiled and run (see train_docs_test.cpp).

#include <kindling/train/callbacks.hpp>

#include "core/temporary_folder.hpp"
#include "docs/guide.hpp"

#include <gtest/gtest.h>

using namespace kindling;
using namespace kindling::testing;

namespace {

//! own
/// Ends the fit once the training loss is low enough.
struct StopAtLoss {
  double loss = 0.1;
  static constexpr int order = 60;  // after the recorder, 50
  void after_batch(Learner& learn) {
    if (learn.training && learn.recorder().losses.back() < loss) throw CancelFit{};
  }
};
//!

//! state
/// Counts items over all fits, also over those before a kill.
struct CountItems {
  std::int64_t items = 0;
  void after_batch(Learner& learn) {
    if (learn.training) items += learn.batch_size();
  }
  void save_state(CallbackState& state) const { state.values["items"] = items; }
  void load_state(const CallbackState& state) { items = state.values.at("items").get<std::int64_t>(); }
};
//!

}  // namespace

TEST(CallbacksGuide, OnesOfYourOwn) {
  Learner learn = make_learner();
  //! use
  learn.fit(20, 1e-2, {.cbs = {StopAtLoss{.loss = 0.7}}});  // for one fit
  learn.add_cb(StopAtLoss{.loss = 0.2});                    // for all that follow
  //!
  EXPECT_LE(learn.recorder().epochs.size(), 20u);
  //! share
  auto count = std::make_shared<CountItems>();
  learn.fit(2, 1e-2, {.cbs = {count}});
  std::int64_t seen = count->items;
  //!
  EXPECT_EQ(seen, 40);
}

TEST(CallbacksGuide, TheLibrarys) {
  const TemporaryFolder folder;
  LearnerOptions options = quietly();
  options.path = folder.path();
  Learner learn = make_learner(options);
  //! trackers
  learn.fit_one_cycle(10, 1e-2,
                      {.cbs = {SaveModelCallback({.tracker = {.monitor = "accuracy"}}),
                               EarlyStoppingCallback({.patience = 3}), ReduceLROnPlateau({.patience = 2})}});
  //!
  //! training
  Callbacks steadier = {GradientAccumulation{.n_acc = 64}, GradientClip{.max_norm = 0.5},
                        ModelAverage({.decay = 0.99})};
  Callbacks mixing = {MixUp(0.4)};  // or CutMix(1.0), for pictures
  learn.fit(2, 1e-2, {.cbs = steadier});
  learn.fit(2, 1e-2, {.cbs = mixing});
  //!
  //! logs
  learn.fit(2, 1e-2, {.cbs = {CSVLogger(), JsonLogger(), TensorBoardCallback({.log_dir = "tb"})}});
  //!
  EXPECT_TRUE(fs::exists(folder / "history.csv"));
  //! half
  learn.to_bf16().fit(1, 1e-2);  // or to_fp16(), with a scaled loss, on a GPU
  learn.to_fp32();
  //!
  //! stats
  auto stats = std::make_shared<ActivationStats>();
  learn.fit(1, 1e-2, {.cbs = {stats}});
  std::vector<double> spread = stats->layer_stats(0, &ActivationStats::Stats::std);
  //!
  EXPECT_EQ(spread.size(), 5u);
}
