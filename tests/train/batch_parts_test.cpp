#include <kindling/core/error.hpp>
#include <kindling/train/callbacks.hpp>
#include <kindling/train/checkpoint.hpp>

#include "core/temporary_folder.hpp"
#include "train/tiny_learner.hpp"

#include <new>

#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using namespace testing;
using ::testing::HasSubstr;

namespace {

enum class Failure { cuda, new_, cpu };

/// A linear model that runs out of memory with more than `most` items.
struct Hungry : nn::Module {
  nn::Linear linear{6, 3};
  std::int64_t most;
  Failure how;
  std::vector<std::int64_t> sizes;
  Hungry(std::int64_t m, Failure f) : most(m), how(f) { register_module("linear", linear); }
  torch::Tensor forward(const torch::Tensor& x) {
    sizes.push_back(x.size(0));
    if (x.size(0) <= most) return linear->forward(x);
    if (how == Failure::new_) throw std::bad_alloc();
    if (how == Failure::cuda) throw c10::OutOfMemoryError({__func__, __FILE__, __LINE__}, "CUDA out of memory.");
    throw c10::Error({__func__, __FILE__, __LINE__}, "DefaultCPUAllocator: can't allocate memory: you tried");
  }
};

Learner learner_of(std::shared_ptr<Hungry> net, Callbacks cbs = {},
                   std::shared_ptr<Listener> listener = silent_listener()) {
  torch::manual_seed(11);
  torch::NoGradGuard no_grad;
  net->linear->reset_parameters();
  LearnerOptions options = quietly(std::move(cbs));
  options.listener = std::move(listener);
  options.opt_func = SGD({.mom = 0.9});
  return Learner(class_loaders(class_pairs(26, 1), class_pairs(9, 2), 8), Model(net), options);
}

double largest_difference(const Learner& a, const Learner& b) {
  double largest = 0;
  const auto p = state_dict(a.model.module()), q = state_dict(b.model.module());
  for (std::size_t i = 0; i < p.size(); ++i)
    largest = std::max(largest, (p[i].second - q[i].second).abs().max().item<double>());
  return largest;
}

}  // namespace

TEST(OutOfMemory, HalvesTheBatchAndKeepsItsEffectForEveryKindOfFailure) {
  Learner whole = learner_of(std::make_shared<Hungry>(100, Failure::cuda));
  whole.fit(3, 0.1);
  for (const Failure how : {Failure::cuda, Failure::new_, Failure::cpu}) {
    auto heard = std::make_shared<Heard>();
    auto net = std::make_shared<Hungry>(3, how);
    Learner parts = learner_of(net, {}, heard);
    parts.fit(3, 0.1);
    EXPECT_EQ(parts.batch_parts(), 4);
    EXPECT_LT(largest_difference(parts, whole), 1e-6);
    for (std::size_t i = 0; i < whole.recorder().losses.size(); ++i)
      EXPECT_NEAR(parts.recorder().losses[i], whole.recorder().losses[i], 1e-6) << i;
    EXPECT_NEAR(parts.recorder().values()[2][1], whole.recorder().values()[2][1], 1e-6);
    EXPECT_EQ(parts.recorder().values()[2][2], whole.recorder().values()[2][2]);
    ASSERT_EQ(heard->texts.size(), 2u);
    const std::string then = "items at once: from here on a batch is run in";
    EXPECT_THAT(heard->texts[0], HasSubstr("memory ran out with 8 " + then + " 2 parts of 4"));
    EXPECT_THAT(heard->texts[1], HasSubstr("memory ran out with 4 " + then + " 4 parts of 2"));
    EXPECT_EQ(heard->events[1]["event"], "memory");
    EXPECT_EQ(heard->events[1]["parts"], 4);
  }
}

TEST(OutOfMemory, GoesTogetherWithAccumulationAndMixing) {
  const auto cbs = [] { return Callbacks{GradientAccumulation{.n_acc = 16}, MixUp()}; };
  Learner whole = learner_of(std::make_shared<Hungry>(100, Failure::cuda), cbs());
  // The first batch fails before anything is accumulated.
  Learner parts = learner_of(std::make_shared<Hungry>(4, Failure::cuda), cbs());
  torch::manual_seed(5);
  whole.fit(3, 0.1);
  torch::manual_seed(5);
  parts.fit(3, 0.1);
  EXPECT_EQ(parts.batch_parts(), 2);
  EXPECT_LT(largest_difference(parts, whole), 1e-6);
}

TEST(OutOfMemory, APredictionIsMadeInPartsToo) {
  Learner whole = learner_of(std::make_shared<Hungry>(100, Failure::cpu));
  auto net = std::make_shared<Hungry>(5, Failure::cpu);
  Learner parts = learner_of(net);
  EXPECT_TRUE(torch::allclose(parts.get_preds().preds, whole.get_preds().preds));
  EXPECT_EQ(net->sizes, (std::vector<std::int64_t>{8, 4, 4, 1}));
}

TEST(OutOfMemory, WithoutRoomForTwoItemsIsAClearError) {
  Learner learn = learner_of(std::make_shared<Hungry>(1, Failure::new_));
  try {
    learn.fit(1, 0.1);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::limit);
    EXPECT_THAT(e.what(), HasSubstr("not enough memory even for a small part of a batch (items in a part: 2"));
    EXPECT_THAT(e.hint(), HasSubstr("smaller"));
  }
}

TEST(OutOfMemory, ACheckpointKnowsOfTheParts) {
  const TemporaryFolder folder;
  const auto with_checkpoints = [&] {
    return Callbacks{std::make_shared<Checkpoints>(CheckpointOptions{.folder = folder.path(), .every_minutes = 0})};
  };
  Learner unbroken = learner_of(std::make_shared<Hungry>(4, Failure::cuda), with_checkpoints());
  unbroken.fit(2, 0.1);
  Learner learn = learner_of(std::make_shared<Hungry>(4, Failure::cuda), with_checkpoints());
  auto state = last_checkpoint(folder.path())->state;
  EXPECT_EQ(state.values.at("parts"), 2);
  learn.resume(std::move(state));
  learn.fit(2, 0.1);
  EXPECT_EQ(learn.batch_parts(), 2);
}

}  // namespace kindling
