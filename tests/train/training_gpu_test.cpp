// Training on a CUDA device does what it does on the CPU.
#include <kindling/core/interrupt.hpp>
#include <kindling/train/callbacks.hpp>
#include <kindling/train/checkpoint.hpp>
#include <kindling/train/mixed_precision.hpp>

#include "core/temporary_folder.hpp"
#include "on_gpu.hpp"
#include "train/tiny_learner.hpp"

#include <gtest/gtest.h>
#include <torch/cuda.h>
#include <torch/nn.h>

namespace kindling {

using namespace testing;

namespace {

DataLoaders loaders_on(torch::Device device, int bs = 16, int n = 64) {
  auto pipeline = std::make_shared<Pipeline>(Pipeline{.blocks = {{}, {}}, .target = TargetKind::category});
  return DataLoaders(DataLoader(class_pairs(n, 1), pipeline,
                                {.bs = bs, .shuffle = true, .drop_last = true, .seed = 7, .split = Split::train, .device = device}),
                     DataLoader(class_pairs(16, 2), pipeline, {.bs = bs, .device = device}));
}

Learner learner_on(torch::Device device, LearnerOptions options = quietly()) {
  Learner learn(loaders_on(device), tiny_net(), std::move(options));
  torch::manual_seed(3);
  torch::cuda::manual_seed_all(3);
  return learn;
}

/// Without dropout, whose draws differ between devices.
Learner calm_learner_on(torch::Device device, OptFunc opt_func) {
  LearnerOptions options = quietly();
  options.opt_func = std::move(opt_func);
  Learner learn = learner_on(device, std::move(options));
  dynamic_cast<TinyNet&>(learn.model.module()).head[0]->as<nn::DropoutImpl>()->options.p(0);
  return learn;
}

using TrainingGpu = testing::OnGpu;

}  // namespace

TEST_F(TrainingGpu, EveryOptimizerTakesTheStepsOfTheCpu) {
  const std::vector<std::pair<const char*, OptFunc>> all{
      {"SGD", SGD({.mom = 0.9, .wd = 0.01})}, {"RMSProp", RMSProp({.mom = 0.9})}, {"Adam", Adam()}, {"RAdam", RAdam()},
      {"QHAdam", QHAdam()}, {"Larc", Larc()}, {"Lamb", Lamb()}, {"ranger", ranger()}};
  for (const auto& [name, opt_func] : all) {
    Learner cpu = calm_learner_on(torch::kCPU, opt_func), gpu = calm_learner_on(torch::kCUDA, opt_func);
    cpu.fit(5, 1e-3);
    gpu.fit(5, 1e-3);
    ASSERT_EQ(cpu.recorder().losses.size(), 20u);
    ASSERT_EQ(gpu.recorder().losses.size(), 20u);
    for (std::size_t i = 0; i < 20; ++i)
      EXPECT_NEAR(cpu.recorder().losses[i], gpu.recorder().losses[i], 2e-4) << name << " step " << i;
    EXPECT_NEAR(cpu.validate()[0], gpu.validate()[0], 1e-3) << name;
  }
}

TEST_F(TrainingGpu, AResumedTrainingEqualsTheUnbrokenOne) {
  const TemporaryFolder folder;
  const auto keeping = [&] {
    auto options = quietly({std::make_shared<Checkpoints>(CheckpointOptions{.folder = folder.path()}),
                            ModelAverage({.decay = 0.9}), GradientAccumulation{.n_acc = 32}});
    options.opt_func = ranger();
    return options;
  };
  Learner unbroken = learner_on(torch::kCUDA, keeping());
  unbroken.fit(4, 0.01);
  fs::remove_all(folder.path());
  struct PressCtrlC {
    int seen = 0;
    void after_step(Learner&) {
      if (++seen == 7) request_interrupt();
    }
  };
  LearnerOptions options = keeping();
  options.cbs.push_back(PressCtrlC{});
  Learner stopped = learner_on(torch::kCUDA, std::move(options));
  stopped.fit(4, 0.01);
  clear_interrupt();
  ASSERT_TRUE(stopped.interrupted);
  auto found = last_checkpoint(folder.path());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->state.position.steps, 14);  // of two batches each
  Learner resumed = learner_on(torch::kCUDA, keeping());
  torch::cuda::manual_seed_all(99);
  resumed.resume(std::move(found->state));
  resumed.fit(4, 0.01);
  EXPECT_EQ(resumed.recorder().losses, unbroken.recorder().losses);
  const auto a = state_dict(resumed.model.module()), b = state_dict(unbroken.model.module());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(torch::equal(a[i].second, b[i].second)) << a[i].first;
}

TEST_F(TrainingGpu, CallbacksFindTheirTensorsOnTheDevice) {
  Learner learn = learner_on(torch::kCUDA, quietly({MixUp(), GradientAccumulation{.n_acc = 32}, GradientClip{.max_norm = 0.5},
                                                    ModelAverage({.decay = 0.9}), TerminateOnNaNCallback{}}));
  learn.fit_one_cycle(20, 0.02);
  EXPECT_LT(learn.recorder().losses.back(), learn.recorder().losses.front());
  const auto found = learn.lr_find();
  EXPECT_GT(found.valley, 0);
}

TEST_F(TrainingGpu, PredictionsEqualThoseOfTheCpu) {
  Learner learn = learner_on(torch::kCUDA);
  learn.fit(5, 0.02);
  const auto there = learn.get_preds({.with_input = true, .with_decoded = true, .with_loss = true});
  Learner here = learner_on(torch::kCPU);
  load_state_dict(here.model.module(), Weights(state_dict(learn.model.module())));
  const auto want = here.get_preds();
  EXPECT_LT((there.preds.cpu() - want.preds).abs().max().item<double>(), 1e-5);
  EXPECT_TRUE(torch::equal(there.targs.cpu(), want.targs.cpu()));
  EXPECT_NEAR(learn.validate()[1], here.validate()[1], 1e-9);
}

TEST_F(TrainingGpu, BFloat16TrainsWithoutAScaledLoss) {
  Learner learn = learner_on(torch::kCUDA);
  learn.to_bf16();
  learn.fit(20, 0.01);
  EXPECT_LT(learn.recorder().losses.back(), learn.recorder().losses.front());
  EXPECT_EQ(learn.get_preds().preds.scalar_type(), torch::kFloat32);
}

TEST_F(TrainingGpu, Float16TrainsWithAScaledLoss) {
  Learner learn = learner_on(torch::kCUDA);
  learn.to_fp16({.init_scale = 1024});
  learn.fit(20, 0.01);
  EXPECT_LT(learn.recorder().losses.back(), learn.recorder().losses.front());
  EXPECT_EQ(learn.get_preds().preds.scalar_type(), torch::kFloat32);
}

namespace {

/// Takes a GiB an item: no device holds a batch of 512.
struct HungryNet : nn::Module {
  nn::Linear linear{6, 3};
  HungryNet() { register_module("linear", linear); }
  torch::Tensor forward(const torch::Tensor& x) {
    const auto waste = torch::empty({x.size(0), std::int64_t{1} << 30}, x.options().dtype(torch::kUInt8));
    return linear->forward(x) + 0 * waste[0][0].to(torch::kFloat32);
  }
};

}  // namespace

TEST_F(TrainingGpu, ABatchTooLargeForTheDeviceGoesInParts) {
  auto said = std::make_shared<Heard>();
  torch::manual_seed(11);
  LearnerOptions options = quietly();
  options.listener = said;
  Learner learn(loaders_on(torch::kCUDA, 512, 512), Model(std::make_shared<HungryNet>()), std::move(options));
  learn.fit(1, 0.01);
  EXPECT_EQ(learn.recorder().losses.size(), 1u);
  ASSERT_FALSE(said->texts.empty());
  EXPECT_NE(said->texts.front().find("memory"), std::string::npos) << said->texts.front();
}

}  // namespace kindling
