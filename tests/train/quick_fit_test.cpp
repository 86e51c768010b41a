#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/data/pairs.hpp>
#include <kindling/nn/weights.hpp>
#include <kindling/train/checkpoint.hpp>

#include "core/temporary_folder.hpp"
#include "train/tiny_learner.hpp"

#include <gmock/gmock.h>
#include <torch/nn/functional/loss.h>

namespace kindling::testing {

using ::testing::HasSubstr;
using torch::Tensor;

namespace {

constexpr int n_train = 240, n_valid = 60, n_in = 6;

/// Three classes round centres of their own; some items carry a wrong label, so that no head can be sure.
struct Clusters final : Dataset {
  Tensor x, y;
  Clusters(int n, std::uint64_t seed, double wrong) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    y = torch::arange(n) % 3;
    x = torch::randn({n, n_in}, generator) + 2.5 * torch::one_hot(y, n_in).to(torch::kFloat32);
    y = torch::where(torch::rand({n}, generator) < wrong, (y + 1) % 3, y);
  }
  std::int64_t size() const override { return y.size(0); }
  Values raw(std::int64_t i) const override { return {x[i], CategoryIndex{y[i].item<std::int64_t>()}}; }
  Value item(std::int64_t i) const override { return Number{static_cast<double>(i)}; }
};

/// Shifts an item of the training split by a draw.
struct Jitter {
  Tensor encodes(const Tensor& x, const ItemContext& context) const {
    if (context.split == Split::valid) return x;
    CounterRng rng = context.rng();
    return x + 0.05 * rng.normal();
  }
};

DataLoaders cluster_loaders(Transforms item_tfms = {}, double wrong = 0.15) {
  auto pipeline = std::make_shared<Pipeline>(
      Pipeline{.blocks = {{}, {}}, .item_tfms = std::move(item_tfms), .target = TargetKind::category});
  return DataLoaders(
      DataLoader(std::make_shared<Clusters>(n_train, 1, wrong), pipeline,
                 {.bs = 32, .shuffle = true, .drop_last = true, .num_workers = 1, .seed = 7, .split = Split::train}),
      DataLoader(std::make_shared<Clusters>(n_valid, 2, wrong), pipeline, {.bs = 32, .num_workers = 1}));
}

/// `TinyNet` with its parts said.
Model parted_net(std::uint64_t seed = 11) {
  torch::manual_seed(seed);
  auto net = std::make_shared<TinyNet>();
  Model model(net);
  model.groups = {{net->body.ptr()}, {net->head.ptr()}};
  model.features = [net](const Model::Inputs& x) { return net->body->forward(x.at(0)); };
  model.head = [net](const Model::Inputs& x) { return net->head->forward(x.at(0)); };
  return model;
}

Learner parted_learner(std::shared_ptr<Listener> listener = silent_listener(), DataLoaders dls = cluster_loaders(),
                       Model model = parted_net()) {
  return Learner(std::move(dls), std::move(model), {.metrics = {error_rate}, .listener = std::move(listener)});
}

std::vector<Tensor> weights_of(const torch::nn::Module& module) {
  std::vector<Tensor> all;
  for (const auto& [name, tensor] : state_dict(module)) all.push_back(tensor.detach().clone());
  return all;
}

bool equal(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Tensor& x, const Tensor& y) { return torch::equal(x, y); });
}

const torch::nn::Module& body_of(const Learner& learn) {
  return *learn.model.groups.front().front();
}

Tensor raw_outputs(Learner& learn) {
  return learn.get_preds({.act = [](const Tensor& x) { return x; }}).preds;
}

Json said(const Heard& heard) {
  for (const Json& event : heard.events) {
    if (event["event"] == "quick_fit") return event;
  }
  return nullptr;
}

/// What is asked for at the end of the features' first batch.
struct StopAtOnce final : Listener {
  void progress(const Progress& p) override {
    if (p.what == "Features") request_interrupt();
  }
};

struct ClearInterrupt {
  ~ClearInterrupt() { clear_interrupt(); }
};

}  // namespace

TEST(QuickFit, TrainsTheHeadInOneRowAndLeavesTheBodyAlone) {
  Learner learn = parted_learner();
  const auto before = weights_of(body_of(learn));
  const double wrong = learn.validate()[1];
  learn.quick_fit({.lr = 1e-2});
  EXPECT_TRUE(equal(weights_of(body_of(learn)), before)) << "its batch norm's statistics too";
  ASSERT_EQ(learn.recorder().history.size(), 1u);
  const EpochRecord& row = learn.recorder().history[0];
  EXPECT_GT(wrong, 0.4);
  EXPECT_LT(row.metrics[0], 0.35);
  const auto values = learn.validate();
  EXPECT_DOUBLE_EQ(row.valid_loss, values[0]);
  EXPECT_DOUBLE_EQ(row.metrics[0], values[1]);
  EXPECT_TRUE(std::isfinite(row.train_loss));
  EXPECT_EQ(learn.opt->frozen_groups(), 1);
}

TEST(QuickFit, IsGoneOnFromByFineTune) {
  Learner learn = parted_learner();
  learn.quick_fit();
  const auto body = weights_of(body_of(learn));
  const double loss = learn.recorder().history[0].valid_loss;
  learn.fine_tune(1, {.freeze_epochs = 0});
  EXPECT_EQ(learn.recorder().history.size(), 2u);
  EXPECT_FALSE(equal(weights_of(body_of(learn)), body));
  EXPECT_LT(learn.recorder().history[1].valid_loss, 1.2 * loss);
}

TEST(QuickFit, GivesTheSameForASeed) {
  const auto outputs = [](std::uint64_t seed) {
    Learner learn = parted_learner(silent_listener(), cluster_loaders({Jitter{}}));
    torch::manual_seed(seed);
    learn.quick_fit();
    return raw_outputs(learn);
  };
  const Tensor first = outputs(3);
  EXPECT_TRUE(torch::equal(outputs(3), first));
  EXPECT_FALSE(torch::equal(outputs(4), first));
}

TEST(QuickFit, MultipliesTheTemperatureIntoTheLastLayer) {
  const auto fitted = [](bool calibrate, const std::shared_ptr<Heard>& heard) {
    // Labels that are never wrong: a head that is stopped early is not sure enough.
    Learner learn = parted_learner(heard, cluster_loaders({}, 0));
    torch::manual_seed(3);
    learn.quick_fit({.epochs = 8, .lr = 1e-2, .calibrate = calibrate});
    return raw_outputs(learn);
  };
  const auto with = std::make_shared<Heard>(), without = std::make_shared<Heard>();
  const Tensor calibrated = fitted(true, with), as_is = fitted(false, without);
  const double temperature = said(*with)["temperature"].get<double>();
  EXPECT_EQ(said(*without)["temperature"], 1);
  EXPECT_LT(temperature, 0.9);
  EXPECT_TRUE(torch::allclose(calibrated * temperature, as_is, 1e-4, 1e-5));
  const Tensor targs = torch::arange(n_valid) % 3;
  const auto loss = [&](const Tensor& logits) {
    return torch::nn::functional::cross_entropy(logits, targs).item<double>();
  };
  EXPECT_LT(loss(calibrated), loss(as_is));
}

TEST(QuickFit, LeavesAHeadThatEndsOtherwiseUncalibrated) {
  Model model = parted_net();
  model.head = [head = model.head](const Model::Inputs& x) { return 4 * head(x).sigmoid(); };
  const auto heard = std::make_shared<Heard>();
  Learner learn = parted_learner(heard, cluster_loaders({}, 0), model);
  learn.quick_fit({.epochs = 1});
  EXPECT_EQ(said(*heard)["temperature"], 1);
}

TEST(QuickFit, MakesViewsWithTheTrainingTransformsWhereTheyDraw) {
  const auto heard = std::make_shared<Heard>(), plain = std::make_shared<Heard>();
  parted_learner(heard, cluster_loaders({Jitter{}}, 0)).quick_fit({.views = 3});
  EXPECT_EQ(said(*heard)["views"], 3);
  EXPECT_EQ(said(*heard)["held_out"], 24);
  EXPECT_EQ(said(*heard)["items"], n_train);
  parted_learner(plain).quick_fit({.views = 3});
  EXPECT_EQ(said(*plain)["views"], 0) << "without a draw all views are the plain one";
}

TEST(QuickFit, MakesFewerViewsWhereMemoryIsShortAndRefusesWhereNoneFit) {
  const std::size_t of_a_view = n_train * 12 * sizeof(float);
  const auto heard = std::make_shared<Heard>();
  parted_learner(heard, cluster_loaders({Jitter{}})).quick_fit({.views = 3, .max_bytes = 2 * of_a_view});
  EXPECT_EQ(said(*heard)["views"], 1);
  ASSERT_EQ(heard->texts.size(), 1u);
  EXPECT_THAT(heard->texts[0], HasSubstr("1 of 3 augmented views"));
  try {
    parted_learner().quick_fit({.max_bytes = of_a_view - 1});
    FAIL() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::usage);
    EXPECT_THAT(e.message(), HasSubstr("do not fit into the memory"));
    EXPECT_EQ(e.fact("items"), "240");
    EXPECT_THAT(e.hint(), HasSubstr("max_bytes"));
  }
}

TEST(QuickFit, StopsByTheTrainingLossWhereFewItemsCannotSayWhen) {
  const auto heard = std::make_shared<Heard>();
  Learner learn = parted_learner(heard, class_loaders(class_pairs(22, 1), class_pairs(7, 2)));
  learn.quick_fit();
  EXPECT_EQ(said(*heard)["held_out"], 0);
  EXPECT_EQ(said(*heard)["temperature"], 1);
  EXPECT_EQ(learn.recorder().history.size(), 1u);
}

TEST(QuickFit, TakesNumbersWithTheirOwnLoss) {
  const auto loaders = [](int n, std::uint64_t seed) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    const Tensor x = torch::randn({n, n_in}, generator);
    return pair_loader(x, x.narrow(1, 0, 3).contiguous(), {.bs = 20, .shuffle = seed == 1, .drop_last = seed == 1});
  };
  const auto heard = std::make_shared<Heard>();
  Learner learn(DataLoaders(loaders(200, 1), loaders(60, 2)), parted_net(),
                {.loss_func = MSELossFlat(), .listener = heard});
  const double before = learn.validate()[0];
  learn.quick_fit({.epochs = 30, .lr = 1e-2});
  EXPECT_LT(learn.recorder().history[0].valid_loss, 0.8 * before);
  EXPECT_EQ(said(*heard)["held_out"], 20);
  EXPECT_EQ(said(*heard)["temperature"], 1);
}

TEST(QuickFit, NeedsAModelInTwoParts) {
  try {
    tiny_learner().quick_fit();
    FAIL() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::usage);
    EXPECT_THAT(e.message(), HasSubstr("a quick fit needs a model in two parts"));
    EXPECT_THAT(e.hint(), HasSubstr("Model::features"));
  }
  Model unpooled = parted_net();
  unpooled.features = [](const Model::Inputs& x) { return x.at(0).reshape({-1, 2, 3}); };
  try {
    parted_learner(silent_listener(), cluster_loaders(), unpooled).quick_fit();
    FAIL() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_THAT(e.message(), HasSubstr("a row of features an item"));
    EXPECT_EQ(e.fact("expected"), "N x F");
  }
}

TEST(QuickFit, StoppedBeginsAgainAndEndsAsTheUnbrokenOne) {
  const TemporaryFolder folder;
  const auto program = [&](std::shared_ptr<Listener> listener, const fs::path& checkpoints) {
    Learner learn = parted_learner(std::move(listener), cluster_loaders({Jitter{}}));
    torch::manual_seed(3);
    learn.add_cb(std::make_shared<Checkpoints>(CheckpointOptions{.folder = checkpoints}));
    if (auto found = last_checkpoint(checkpoints)) learn.resume(std::move(found->state));
    learn.quick_fit();
    if (!learn.interrupted) learn.fine_tune(1);
    return learn;
  };
  const ClearInterrupt clear;
  const Learner stopped = program(std::make_shared<StopAtOnce>(), folder / "stopped");
  EXPECT_TRUE(stopped.interrupted);
  EXPECT_TRUE(stopped.recorder().history.empty());
  EXPECT_FALSE(last_checkpoint(folder / "stopped")) << "there is nothing to go on from";
  clear_interrupt();
  const Learner unbroken = program(silent_listener(), folder / "unbroken");
  const Learner again = program(silent_listener(), folder / "stopped");
  EXPECT_TRUE(equal(weights_of(again.model.module()), weights_of(unbroken.model.module())));
  const Learner over = program(silent_listener(), folder / "stopped");
  EXPECT_TRUE(equal(weights_of(over.model.module()), weights_of(unbroken.model.module())))
      << "all of it was done already";
  EXPECT_EQ(over.recorder().history.size(), 3u);
}

}  // namespace kindling::testing
