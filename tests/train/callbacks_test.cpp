#include <kindling/core/error.hpp>
#include <kindling/train/callbacks.hpp>

#include "core/temporary_folder.hpp"
#include "train/golden_learner.hpp"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace testing;

namespace {

const Json& file() {
  static const Json json = golden("train/callbacks.json");
  return json;
}

const Json& fit_called(const std::string& what) {
  for (const Json& run : file().at("fits").at("runs")) {
    if (run.at("what") == what) return run;
  }
  throw std::runtime_error("the golden file lacks " + what);
}

struct Losses {
  static constexpr int order = 65;
  static constexpr bool run_valid = false;
  std::vector<double> values;
  void after_batch(Learner& learn) { values.push_back(learn.loss.item<double>()); }
};

void expect_like_fastai(const std::string& what, Callbacks cbs, double tolerance = 2e-6) {
  SCOPED_TRACE(what);
  const Json& run = fit_called(what);
  auto losses = std::make_shared<Losses>();
  cbs.push_back(Callback(losses));
  Learner learn = golden_learner(file().at("fits"), {.cbs = std::move(cbs)});
  torch::manual_seed(21);
  learn.fit(2, 0.1);
  const auto expected = run.at("losses").get<std::vector<double>>();
  ASSERT_EQ(losses->values.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(losses->values[i], expected[i], tolerance) << i;
  const auto rows = learn.recorder().values();
  ASSERT_EQ(rows.size(), run.at("values").size());
  for (std::size_t r = 0; r < rows.size(); ++r) {
    // fastai leaves out what was cancelled; here it has the value of what was seen.
    if (run.at("values")[r].size() != rows[r].size()) continue;
    for (std::size_t c = 0; c < rows[r].size(); ++c)
      EXPECT_NEAR(rows[r][c], run.at("values")[r][c].get<double>(), tolerance) << r << " " << c;
  }
  expect_state(learn, run.at("state"), tolerance);
}

/// Gives preset values, one a validation, as fastai's side does.
struct Sequence {
  std::string name;
  std::vector<double> values;
  std::shared_ptr<int> count = std::make_shared<int>(0);
  void reset() {}
  void accumulate(const torch::Tensor&, const torch::Tensor&) {}
  double value() const { return values.at(static_cast<std::size_t>((*count)++)); }
};

Callback tracker_called(const std::string& what) {
  if (what == "EarlyStopping patience 2") return EarlyStoppingCallback({.tracker = {.monitor = "acc"}, .patience = 2});
  if (what == "EarlyStopping patience 3") return EarlyStoppingCallback({.tracker = {.monitor = "acc"}, .patience = 3});
  if (what == "EarlyStopping min_delta 0.05")
    return EarlyStoppingCallback({.tracker = {.monitor = "my_loss", .min_delta = 0.05}, .patience = 2});
  if (what == "ReduceLROnPlateau") return ReduceLROnPlateau({.tracker = {.monitor = "my_loss"}, .factor = 2});
  if (what == "ReduceLROnPlateau min_lr") return ReduceLROnPlateau({.tracker = {.monitor = "acc"}, .min_lr = 0.004});
  if (what == "SaveModel") return SaveModelCallback({.tracker = {.monitor = "acc"}});
  throw std::runtime_error("the golden file has a tracker that this test does not know: " + what);
}

}  // namespace

TEST(Callbacks, FitsEqualFastaisStepByStep) {
  expect_like_fastai("GradientAccumulation 8", {GradientAccumulation{.n_acc = 8}});
  expect_like_fastai("GradientClip 0.05", {GradientClip{.max_norm = 0.05}});
  expect_like_fastai("GradientClip 0.05 norm 1", {GradientClip{.max_norm = 0.05, .norm_type = 1}});
  expect_like_fastai("ShortEpoch 0.5", {ShortEpochCallback{.pct = 0.5}});
}

TEST(Callbacks, BnFreezeKeepsStatisticsOfFrozenLayersAsFastaiDoes) {
  const Json& run = fit_called("BnFreeze");
  Learner learn = golden_learner(file().at("fits"), {.train_bn = false, .cbs = {BnFreeze{}}});
  learn.freeze();
  learn.fit(1, 0.1);
  expect_state(learn, run.at("state"), 2e-6);
}

TEST(Callbacks, ModelAverageEqualsTorchs) {
  auto average = std::make_shared<ModelAverage>(ModelAverageOptions{.decay = 0.8});
  Learner learn = golden_learner(file().at("fits"), {.cbs = {Callback(average)}});
  learn.fit(2, 0.1);
  expect_state(learn, fit_called("average 0.8").at("state"), 2e-6);
}

TEST(Callbacks, ModelAverageLeavesTheTrainingItselfAlone) {
  const ModelAverageOptions own{.decay = 0.8, .validate = true, .keep_at_end = false};
  Learner averaged = golden_learner(file().at("fits"), {.cbs = {ModelAverage(own)}});
  Learner plain = golden_learner(file().at("fits"), {});
  averaged.fit(2, 0.1);
  plain.fit(2, 0.1);
  EXPECT_EQ(averaged.recorder().losses, plain.recorder().losses);
  EXPECT_NE(averaged.recorder().values()[1][1], plain.recorder().values()[1][1]) << "validated with the average";
  const auto a = state_dict(averaged.model.module()), b = state_dict(plain.model.module());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(torch::equal(a[i].second, b[i].second)) << a[i].first;
}

TEST(Trackers, StopReduceAndSaveWhereFastaiDoes) {
  ASSERT_EQ(file().at("trackers").size(), 6u);
  for (const Json& run : file().at("trackers")) {
    const std::string what = run.at("what").get<std::string>();
    SCOPED_TRACE(what);
    const TemporaryFolder folder;
    auto heard = std::make_shared<Heard>();
    struct Rates {
      int order = 64;
      std::vector<std::vector<double>> lrs;
      void after_train(Learner& learn) {
        lrs.push_back({learn.opt->hypers(0).at("lr"), learn.opt->hypers(1).at("lr")});
      }
    };
    auto rates = std::make_shared<Rates>();
    Learner learn = golden_learner(
        file().at("fits"),
        {.metrics = {Sequence{run.at("column").get<std::string>(), run.at("values").get<std::vector<double>>()}},
         .cbs = {tracker_called(what), Callback(rates)},
         .path = folder.path(),
         .listener = heard});
    learn.fit(static_cast<int>(run.at("values").size()), 0.1);
    ASSERT_EQ(rates->lrs.size(), run.at("epochs").get<std::size_t>());
    for (std::size_t e = 0; e < rates->lrs.size(); ++e) {
      for (std::size_t g = 0; g < 2; ++g) EXPECT_DOUBLE_EQ(rates->lrs[e][g], run.at("lrs")[e][g].get<double>()) << e;
    }
    EXPECT_EQ(heard->texts, run.at("printed").get<std::vector<std::string>>());
    EXPECT_EQ(fs::exists(folder / "models/model.safetensors"), what == "SaveModel");
  }
}

TEST(Trackers, AColumnThatIsNotThereIsNamedBeforeTheFirstEpoch) {
  Learner learn = tiny_learner({EarlyStoppingCallback({.tracker = {.monitor = "acuracy"}})});
  try {
    learn.fit(1, 0.1);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("no such column (column: acuracy)"));
    EXPECT_THAT(e.hint(), HasSubstr("known: train_loss, valid_loss, accuracy (did you mean 'accuracy'?)"));
  }
  EXPECT_TRUE(learn.recorder().losses.empty());
}

TEST(Trackers, SaveModelLoadsTheBestAfterTheFit) {
  const TemporaryFolder folder;
  LearnerOptions options = quietly({SaveModelCallback()});
  options.path = folder.path();
  Learner learn(class_loaders(class_pairs(22, 1), class_pairs(7, 2)), tiny_net(), options);
  learn.fit(6, 0.5);
  double best = std::numeric_limits<double>::infinity();
  for (const EpochRecord& e : learn.recorder().epochs) best = std::min(best, e.valid_loss);
  EXPECT_EQ(learn.validate()[0], best);
}

namespace {

/// Infinite inputs at one item.
Learner learner_with_a_broken_item() {
  auto data = std::static_pointer_cast<ClassPairs>(class_pairs(8, 1));
  data->x[5][2] = std::numeric_limits<float>::quiet_NaN();
  return Learner(class_loaders(data, class_pairs(7, 2), 4, false), tiny_net(), quietly());
}

}  // namespace

TEST(StopOnNaN, NamesTheItemsThatAreNotFinite) {
  Learner learn = learner_with_a_broken_item();
  try {
    learn.fit(1, 0.1, {.cbs = {StopOnNaN{}}});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_data);
    EXPECT_EQ(e.fact("batch"), "1");
    EXPECT_EQ(e.fact("item 5"), describe(fs::path("item-5")));
    EXPECT_EQ(e.fact("item 4"), "");
  }
  EXPECT_EQ(learn.recorder().losses.size(), 1u);
}

TEST(StopOnNaN, ATrainingThatRunsAwayNamesTheBatchAndAdvisesASmallerRate) {
  Learner learn = tiny_learner();
  try {
    learn.fit(50, 1e30, {.cbs = {StopOnNaN{}}});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::usage);
    EXPECT_THAT(e.what(), HasSubstr("the training has run away"));
    EXPECT_THAT(e.what(), HasSubstr("item-"));
    EXPECT_THAT(e.hint(), HasSubstr("smaller learning rate"));
  }
}

TEST(TerminateOnNaN, EndsTheFitQuietly) {
  Learner learn = learner_with_a_broken_item();
  learn.fit(3, 0.1, {.cbs = {TerminateOnNaNCallback{}}});
  EXPECT_EQ(learn.recorder().epochs.size(), 0u);
}

TEST(Mixing, BatchesLossesAndTargetsEqualFastaisForTheSameSeed) {
  ASSERT_EQ(file().at("mix").size(), 5u);
  for (const Json& run : file().at("mix")) {
    const bool classes = run.at("target") == "classes";
    SCOPED_TRACE(run.at("callback").get<std::string>() + " of " + run.at("target").get<std::string>());
    struct Pairs final : Dataset {
      torch::Tensor x, y;
      std::int64_t size() const override { return x.size(0); }
      Values raw(std::int64_t i) const override { return {x[i], y[i]}; }
      Value item(std::int64_t i) const override { return Number{static_cast<double>(i)}; }
    };
    auto data = std::make_shared<Pairs>();
    data->x = tensor_from(run.at("inputs"));
    data->y = tensor_from(run.at("targets"));
    if (classes) data->y = data->y.to(torch::kInt64);
    auto pipeline = std::make_shared<Pipeline>(Pipeline{.blocks = {{}, {}}, .target = TargetKind::other});
    DataLoader dl(data, pipeline, {.bs = 6, .num_workers = 0, .split = Split::train});
    struct Seed {
      int order = -50;
      bool run_valid = false;
      std::uint64_t seed;
      void before_batch(Learner&) const { torch::manual_seed(seed); }
    };
    struct See {
      int order = 90;
      bool run_valid = false;
      torch::Tensor x, y;
      double loss = 0;
      void before_batch(Learner& learn) { x = learn.xb[0].clone(), y = learn.yb[0].clone(); }
      void after_loss(Learner& learn) { loss = learn.loss.item<double>(); }
    };
    auto see = std::make_shared<See>();
    nn::Sequential net(nn::Flatten(), nn::Linear(70, classes ? 3 : 2));
    load_state_dict(*net, weights_from(run.at("state")));
    const Callback mix = run.at("callback") == "MixUp" ? Callback(MixUp()) : Callback(CutMix());
    Learner learn(DataLoaders(dl, dl), net,
                  {.opt_func = SGD(),
                   .loss_func = classes ? CrossEntropyLossFlat() : MSELossFlat(),
                   .cbs = {mix, Seed{.seed = run.at("seed").get<std::uint64_t>()}, Callback(see)},
                   .listener = silent_listener()});
    const std::string loss_before = learn.loss_func.name();
    learn.fit(1, 0.0);
    EXPECT_LT((see->x - tensor_from(run.at("mixed_x"))).abs().max().item<double>(), 1e-6);
    EXPECT_LT((see->y - tensor_from(run.at("mixed_y"))).abs().max().item<double>(), 1e-6);
    EXPECT_NEAR(see->loss, run.at("loss").get<double>(), 2e-6);
    EXPECT_EQ(learn.loss_func.name(), loss_before);
  }
}

TEST(Recorder, TrainMetricsHaveColumnsAndValuesAsFastais) {
  Learner learn = golden_learner(file().at("fits"), {.metrics = {accuracy}, .recorder = {.train_metrics = true}});
  learn.fit(2, 0.1);
  EXPECT_EQ(learn.recorder().columns(), file().at("loop").at("train_metrics_columns").get<std::vector<std::string>>());
  const Json& values = file().at("loop").at("train_metrics_values");
  const auto rows = learn.recorder().values();
  ASSERT_EQ(rows.size(), values.size());
  for (std::size_t r = 0; r < rows.size(); ++r) {
    ASSERT_EQ(rows[r].size(), values[r].size());
    for (std::size_t c = 0; c < rows[r].size(); ++c) EXPECT_NEAR(rows[r][c], values[r][c].get<double>(), 2e-6);
  }
}

TEST(ShowTrainingLoop, PrintsTheLoopAsFastaiWithOurCallbacks) {
  Learner learn = golden_learner(file().at("fits"), {.cbs = {StopOnNaN{}}});
  const std::string ours = learn.show_training_loop();
  // The same lines; fastai's names of callbacks are others, and it leaves after_backward out.
  const auto lines_without_callbacks = [](std::string text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
      if (line.find("after_backward") == std::string::npos) lines.push_back(line.substr(0, line.find(": [")));
    }
    return lines;
  };
  EXPECT_EQ(lines_without_callbacks(ours),
            lines_without_callbacks(file().at("loop").at("training_loop").get<std::string>()));
  EXPECT_THAT(ours, HasSubstr("- after_batch    : [TrainEvalCallback, StopOnNaN, RecorderCallback, ProgressCallback, "
                              "InterruptCallback]"));
}

TEST(Callbacks, SkipChannelsLastAndMonteCarloDropout) {
  Learner learn = tiny_learner();
  learn.fit(3, 0.05, {.start_epoch = 2});
  EXPECT_EQ(learn.recorder().losses.size(), 5u);
  auto fetched = std::make_shared<FetchPredsCallback>();
  auto data = std::make_shared<CollectDataCallback>();
  learn.fit(1, 0.05, {.cbs = {Callback(fetched), Callback(data)}});
  EXPECT_EQ(fetched->preds.preds.sizes(), (std::vector<std::int64_t>{7, 3}));
  ASSERT_EQ(data->data.size(), 7u);  // 5 of training, 2 of validation
  EXPECT_EQ(data->data[0].xb[0].sizes(), (std::vector<std::int64_t>{4, 6}));
  const Preds once = learn.get_preds({.cbs = {MCDropoutCallback{}}});
  const Preds again = learn.get_preds({.cbs = {MCDropoutCallback{}}});
  EXPECT_FALSE(torch::equal(once.preds, again.preds));
  EXPECT_TRUE(torch::equal(learn.get_preds().preds, learn.get_preds().preds));

  nn::Sequential net(nn::Conv2d(3, 4, 3), nn::Flatten(), nn::Linear(36, 3));
  Learner pictures(class_loaders(class_pairs(8, 1, {3, 5, 5}), class_pairs(4, 2, {3, 5, 5})), net,
                   quietly({ChannelsLast{}}));
  pictures.fit(1, 0.01);
  EXPECT_TRUE(pictures.model.module().parameters()[0].is_contiguous(torch::MemoryFormat::ChannelsLast));
}

TEST(Callback, TrackersAndLogsKeepOutOfLrFind) {
  const TemporaryFolder folder;
  LearnerOptions options = quietly({SaveModelCallback(), CSVLogger(), StopOnNaN{}});
  options.path = folder.path();
  Learner learn(class_loaders(class_pairs(22, 1), class_pairs(7, 2)), tiny_net(), options);
  learn.lr_find({.num_it = 20});
  EXPECT_EQ(folder.entries(), 0u);
  learn.fit(1, 0.01);
  EXPECT_EQ(folder.entries(), 2u) << "they are back afterwards";
}

TEST(Callback, CanBeTakenAwayByItsName) {
  Learner learn = tiny_learner({GradientClip{}});
  EXPECT_TRUE(learn.remove_cb("GradientClip"));
  EXPECT_FALSE(learn.remove_cb("GradientClip"));
}

}  // namespace kindling
