#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/nn/weights.hpp>
#include <kindling/train/learner.hpp>

#include "golden.hpp"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn.h>

namespace kindling {

namespace nn = torch::nn;
using testing::golden;
using ::testing::HasSubstr;
using testing::tensor_from;

namespace {

/// Tensors with class indices.
struct TensorPairs final : Dataset {
  torch::Tensor x;
  std::vector<std::int64_t> y;
  TensorPairs(torch::Tensor xs, std::vector<std::int64_t> ys) : x(std::move(xs)), y(std::move(ys)) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(y.size()); }
  Values raw(std::int64_t i) const override { return {x[i], CategoryIndex{y[i]}}; }
  Value item(std::int64_t i) const override { return Number{static_cast<double>(i)}; }
};

DataLoaders loaders(std::shared_ptr<Dataset> train, std::shared_ptr<Dataset> valid, int bs) {
  auto pipeline = std::make_shared<Pipeline>(Pipeline{.blocks = {{}, {}}, .target = TargetKind::category});
  return DataLoaders(DataLoader(train, pipeline, {.bs = bs, .drop_last = true, .split = Split::train}),
                     DataLoader(valid, pipeline, {.bs = bs}));
}

/// Random batches of `n_train` and `n_valid` items of two numbers in two classes.
DataLoaders random_loaders(int n_train, int n_valid, int bs) {
  auto items = [](int n) {
    std::vector<std::int64_t> y(n);
    for (int i = 0; i < n; ++i) y[i] = i % 2;
    return std::make_shared<TensorPairs>(torch::randn({n, 2}), y);
  };
  return loaders(items(n_train), items(n_valid), bs);
}

/// The net of tests/golden/make_training.py: body and head, keys "0.*" and "1.*".
struct SmallNet : nn::Module {
  nn::Sequential body{nn::Conv2d(nn::Conv2dOptions(1, 4, 3).padding(1).bias(false)),
                      nn::BatchNorm2d(4),
                      nn::ReLU(),
                      nn::Conv2d(nn::Conv2dOptions(4, 8, 3).stride(2).padding(1).bias(false)),
                      nn::BatchNorm2d(8),
                      nn::ReLU()};
  nn::Sequential head{nn::AdaptiveAvgPool2d(nn::AdaptiveAvgPool2dOptions({1, 1})), nn::Flatten(),
                      nn::BatchNorm1d(8), nn::Linear(8, 3)};
  SmallNet() {
    register_module("0", body);
    register_module("1", head);
  }
  torch::Tensor forward(const torch::Tensor& x) { return head->forward(body->forward(x)); }
};

Model small_net() {
  auto net = std::make_shared<SmallNet>();
  Model model(net);
  model.groups = {{net->body.ptr()}, {net->head.ptr()}};
  return model;
}

Weights weights_from(const Json& state) {
  Weights::Named tensors;
  for (const auto& [name, value] : state.items()) tensors.emplace_back(name, tensor_from(value));
  return Weights(std::move(tensors));
}

/// Keeps what each step of a golden run must equal.
struct RecordSteps {
  static constexpr int order = 65;
  static constexpr bool run_valid = false;
  std::vector<double> losses;
  std::vector<std::vector<double>> lrs, moms;
  std::vector<std::string> trainable;
  void before_train(Learner& learn) {
    trainable.clear();
    for (const auto& p : learn.model.module().named_parameters()) {
      if (p.value().requires_grad()) trainable.push_back(p.key());
    }
  }
  void after_batch(Learner& learn) {
    losses.push_back(learn.loss.item<double>());
    std::vector<double> lr, mom;
    for (std::size_t g = 0; g < learn.opt->n_groups(); ++g) {
      lr.push_back(learn.opt->hypers(g).at("lr"));
      mom.push_back(learn.opt->hypers(g).at("mom"));
    }
    lrs.push_back(lr);
    moms.push_back(mom);
  }
};

void call(Learner& learn, const std::string& what) {
  if (what == "fit(1, 0.05)")
    learn.fit(1, 0.05);
  else if (what == "fit(1, 0.05, wd=0.1)")
    learn.fit(1, 0.05, {.wd = 0.1});
  else if (what == "fit(1, 0.01)")
    learn.fit(1, 0.01);
  else if (what == "fit_one_cycle(1, 0.01)")
    learn.fit_one_cycle(1, 0.01);
  else if (what == "fit_one_cycle(2, slice(0.001, 0.01))")
    learn.fit_one_cycle(2, slice(0.001, 0.01));
  else if (what == "fine_tune(1, 0.02)")
    learn.fine_tune(1, {.base_lr = 0.02});
  else
    throw std::runtime_error("the golden file has a call that this test does not know: " + what);
}

struct GoldenRun {
  Json json;
  Json run;
  std::shared_ptr<RecordSteps> steps = std::make_shared<RecordSteps>();
  Learner learn;

  GoldenRun(const Json& file, const Json& r)
      : json(file), run(r), learn(make_loaders(file), small_net(), options(r, steps)) {
    load_state_dict(learn.model.module(), weights_from(file.at("initial")));
  }

  static DataLoaders make_loaders(const Json& file) {
    auto part = [&](const std::string& name) {
      return std::make_shared<TensorPairs>(tensor_from(file.at(name + "_x")),
                                           file.at(name + "_y").get<std::vector<std::int64_t>>());
    };
    return loaders(part("train"), part("valid"), file.at("bs").get<int>());
  }

  static LearnerOptions options(const Json& run, std::shared_ptr<RecordSteps> steps) {
    const Json& settings = run.at("learner");
    LearnerOptions o{
        .metrics = {accuracy, error_rate}, .cbs = {Callback(steps)}, .listener = silent_listener()};
    if (run.at("opt") == "sgd") o.opt_func = SGD({.mom = run.at("opt_settings").value("mom", 0.0)});
    o.train_bn = settings.value("train_bn", true);
    o.wd_bn_bias = settings.value("wd_bn_bias", false);
    if (settings.contains("wd")) o.wd = settings.at("wd").get<double>();
    return o;
  }
};

void expect_near(const std::vector<double>& ours, const Json& theirs, double tolerance,
                 const std::string& what) {
  ASSERT_EQ(ours.size(), theirs.size()) << what;
  for (std::size_t i = 0; i < ours.size(); ++i)
    EXPECT_NEAR(ours[i], theirs[i].get<double>(), tolerance) << what << " " << i;
}

}  // namespace

TEST(LearnerTrajectory, EveryGoldenRunEqualsFastaisStepByStep) {
  const Json file = golden("train/trajectory.json");
  ASSERT_EQ(file.at("runs").size(), 8u);
  for (const Json& run : file.at("runs")) {
    SCOPED_TRACE(run.at("call").get<std::string>() + " " + run.at("opt").get<std::string>());
    GoldenRun golden_run(file, run);
    call(golden_run.learn, run.at("call").get<std::string>());
    const Json& last = run.at("fits").back();
    // The recorder starts anew with each fit: the last one is what it holds.
    const auto n = last.at("loss").size();
    const auto& steps = *golden_run.steps;
    expect_near({steps.losses.end() - static_cast<std::ptrdiff_t>(n), steps.losses.end()}, last.at("loss"),
                1e-5, "loss");
    expect_near(golden_run.learn.recorder().losses, last.at("smooth_loss"), 1e-5, "smooth loss");
    for (std::size_t i = 0; i < n; ++i) {
      expect_near(steps.lrs[steps.lrs.size() - n + i], last.at("lr")[i], 1e-9, "lr");
      expect_near(steps.moms[steps.moms.size() - n + i], last.at("mom")[i], 1e-7, "mom");
    }
    const auto rows = golden_run.learn.recorder().values();
    ASSERT_EQ(rows.size(), last.at("rows").size());
    for (std::size_t i = 0; i < rows.size(); ++i) expect_near(rows[i], last.at("rows")[i], 1e-5, "row");
    for (const auto& [name, tensor] : state_dict(golden_run.learn.model.module())) {
      if (name.ends_with("num_batches_tracked")) continue;
      EXPECT_LT((tensor - tensor_from(last.at("state").at(name))).abs().max().item<double>(), 2e-5) << name;
    }
    EXPECT_EQ(steps.trainable, last.at("trainable").get<std::vector<std::string>>());
  }
}

namespace {

/// Notes every event, and cancels once at the given one.
struct EventLog {
  static constexpr int order = -100;
  std::vector<std::string> events;
  std::string cancel, at;
  int occurrence = 0;
  int seen = 0;

  void note(const char* event) {
    events.push_back(event);
    if (at != event || seen++ != occurrence) return;
    if (cancel == "fit") throw CancelFit{};
    if (cancel == "epoch") throw CancelEpoch{};
    if (cancel == "train") throw CancelTrain{};
    if (cancel == "validate") throw CancelValid{};
    if (cancel == "batch") throw CancelBatch{};
    if (cancel == "backward") throw CancelBackward{};
    if (cancel == "step") throw CancelStep{};
    throw std::runtime_error("the golden file has a cancel that this test does not know: " + cancel);
  }
#define NOTE(event) \
  void event(Learner&) { note(#event); }
  NOTE(before_fit)
  NOTE(before_epoch)
  NOTE(before_train) NOTE(before_batch) NOTE(after_pred) NOTE(after_loss) NOTE(before_backward)
      NOTE(after_cancel_backward) NOTE(after_backward) NOTE(before_step) NOTE(after_cancel_step)
          NOTE(after_step) NOTE(after_cancel_batch) NOTE(after_batch) NOTE(after_cancel_train)
              NOTE(after_train) NOTE(before_validate) NOTE(after_cancel_validate) NOTE(after_validate)
                  NOTE(after_cancel_epoch) NOTE(after_epoch) NOTE(after_cancel_fit) NOTE(after_fit)
#undef NOTE
};

LearnerOptions quiet(Callbacks cbs = {}) {
  return {.cbs = std::move(cbs), .listener = silent_listener()};
}

}  // namespace

TEST(LearnerEvents, OrderEqualsFastaisAlsoWithEachCancel) {
  const Json file = golden("train/events.json");
  ASSERT_EQ(file.at("runs").size(), 27u);
  for (const Json& run : file.at("runs")) {
    auto log = std::make_shared<EventLog>();
    if (!run.at("cancel").is_null()) {
      log->cancel = run.at("cancel").get<std::string>();
      log->at = run.at("at").get<std::string>();
      log->occurrence = run.at("occurrence").get<int>();
    }
    Learner learn(random_loaders(4, 2, 2), nn::Linear(2, 2), quiet({Callback(log)}));
    learn.fit(2, 0.1);
    EXPECT_EQ(log->events, run.at("events").get<std::vector<std::string>>())
        << log->cancel << " at " << log->at;
  }
}

TEST(Learner, TemporaryCallbacksLeaveWithTheFitAlsoAfterAnError) {
  struct Fails {
    void after_loss(Learner&) { throw std::runtime_error("mine"); }
  };
  Learner learn(random_loaders(4, 2, 2), nn::Linear(2, 2), quiet());
  EXPECT_THROW(learn.fit(1, 0.1, {.cbs = {Fails{}}}), std::runtime_error);
  learn.fit(1, 0.1);
  EXPECT_EQ(learn.recorder().epochs.size(), 1u);
}

TEST(Learner, InterruptEndsAtTheNextBatchAndKeepsTheRecord) {
  struct PressCtrlC {
    void after_step(Learner& learn) {
      if (learn.iter == 1) request_interrupt();
    }
  };
  Learner learn(random_loaders(20, 2, 2), nn::Linear(2, 2), quiet());
  learn.fit(3, 0.1, {.cbs = {PressCtrlC{}}});
  clear_interrupt();
  EXPECT_TRUE(learn.interrupted);
  EXPECT_EQ(learn.recorder().losses.size(), 2u);
  learn.fit(1, 0.1);
  EXPECT_FALSE(learn.interrupted);
}

TEST(Learner, DenormalNumbersAreZeroInAFitAndNumbersAgainAfterIt) {
#ifdef __clang__
  constexpr std::int64_t n = 1000;  // loops of clang's builds reach this thread alone
#else
  constexpr std::int64_t n = 1 << 18;  // enough for several threads
#endif
  const auto nonzero = [] { return (torch::full({n}, 2e-38f) * 0.01f).count_nonzero().item<std::int64_t>(); };
  std::int64_t within = -1;
  struct Look {
    std::function<void()> look;
    void after_step(Learner&) const { look(); }
  };
  Learner learn(random_loaders(20, 2, 2), nn::Linear(2, 2), quiet());
  learn.fit(1, 0.1, {.cbs = {Look{[&] { within = nonzero(); }}}});
  EXPECT_EQ(within, 0);
  EXPECT_EQ(nonzero(), n);
}

TEST(Learner, FewerItemsThanABatchIsAClearError) {
  Learner learn(random_loaders(3, 2, 4), nn::Linear(2, 2), quiet());
  try {
    learn.fit(1, 0.1);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_data);
    EXPECT_THAT(e.what(), HasSubstr("fewer training items than a batch (training items: 3, bs: 4)"));
    EXPECT_THAT(e.hint(), HasSubstr("at most 3"));
  }
}

TEST(Learner, LossThatCannotBeToldIsAClearError) {
  auto pipeline = std::make_shared<Pipeline>(Pipeline{.blocks = {{}, {}}, .target = TargetKind::other});
  auto data = std::make_shared<TensorPairs>(torch::zeros({2, 2}), std::vector<std::int64_t>{0, 1});
  DataLoader dl(data, pipeline);
  EXPECT_THROW(Learner(DataLoaders(dl, dl), nn::Linear(2, 2), quiet()), Error);
}

TEST(Learner, ValidateEqualsTheLastRowOfTheTable) {
  LearnerOptions options = quiet();
  options.metrics = {accuracy, error_rate};
  Learner learn(random_loaders(8, 5, 2), nn::Linear(2, 2), options);
  learn.fit(2, 0.1);
  const auto values = learn.validate();
  const EpochRecord& last = learn.recorder().epochs.back();
  ASSERT_EQ(values.size(), 3u);
  EXPECT_DOUBLE_EQ(values[0], last.valid_loss);
  EXPECT_DOUBLE_EQ(values[1], last.metrics[0]);
  EXPECT_EQ(learn.recorder().epochs.size(), 2u) << "validate() leaves the record alone";
}

TEST(Learner, GetPredsGivesItemsInOrderWithTargetsLossesAndDecoded) {
  Learner learn(random_loaders(6, 5, 2), nn::Linear(2, 2), quiet());
  const Preds p = learn.get_preds({.ds_idx = 0, .with_decoded = true, .with_loss = true});
  ASSERT_EQ(p.preds.sizes(), (std::vector<std::int64_t>{6, 2}));
  EXPECT_TRUE(torch::allclose(p.preds.sum(1), torch::ones({6})));
  EXPECT_TRUE(torch::equal(p.targs, torch::tensor({0, 1, 0, 1, 0, 1}, torch::kInt64)));
  EXPECT_TRUE(torch::equal(p.decoded, p.preds.argmax(1)));
  EXPECT_TRUE(
      torch::allclose(p.losses, -p.preds.gather(1, p.targs.unsqueeze(1)).squeeze(1).log(), 1e-4, 1e-5));
}

TEST(Learner, HistoryGoesOnOverFitsAndIsWrittenAsCsv) {
  LearnerOptions options = quiet();
  options.metrics = {accuracy};
  Learner learn(random_loaders(8, 4, 2), nn::Linear(2, 2), options);
  learn.fine_tune(2);
  EXPECT_EQ(learn.recorder().epochs.size(), 2u);
  ASSERT_EQ(learn.recorder().history.size(), 3u);
  const fs::path csv = fs::path(::testing::TempDir()) / "kindling_history_test.csv";
  learn.recorder().save_csv(csv);
  const std::string text = read_text(csv);
  fs::remove(csv);
  EXPECT_THAT(text, ::testing::StartsWith("epoch,train_loss,valid_loss,accuracy,time\n0,"));
  EXPECT_THAT(text, HasSubstr("\n2,"));
}

TEST(Learner, ExportOfAModelWithoutASpecTellsWhatToDo) {
  Learner learn(random_loaders(4, 2, 2), nn::Linear(2, 2), quiet());
  try {
    learn.export_to("nowhere.safetensors");
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.hint(), HasSubstr("register_model_kind"));
  }
}

}  // namespace kindling
