#include <kindling/train/mixed_precision.hpp>

#include "golden.hpp"
#include "train/tiny_learner.hpp"

#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>

namespace kindling {

using namespace testing;

TEST(GradScaler, ScalesAndGradientsEqualTorchsForEveryPatternOfOverflows) {
  const Json file = golden("train/callbacks.json");
  ASSERT_EQ(file.at("scaler").size(), 3u);
  for (const Json& run : file.at("scaler")) {
    const Json& o = run.at("options");
    GradScalerOptions options;
    options.init_scale = o.value("init_scale", options.init_scale);
    options.growth_factor = o.value("growth_factor", options.growth_factor);
    options.backoff_factor = o.value("backoff_factor", options.backoff_factor);
    options.growth_interval = o.value("growth_interval", options.growth_interval);
    GradScaler scaler(options);
    const auto pattern = run.at("pattern").get<std::vector<bool>>();
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      torch::Tensor p = torch::ones({2}, torch::requires_grad());
      scaler.scale((p * torch::tensor({2.F, 3.F})).sum()).backward();
      torch::Tensor grad = p.grad();
      if (!pattern[i]) grad[0] = std::numeric_limits<float>::infinity();
      EXPECT_EQ(scaler.unscale({grad}), pattern[i]) << i;
      if (pattern[i]) EXPECT_EQ(grad[1].item<float>(), run.at("grads")[i][1].get<float>()) << i;
      scaler.update();
      EXPECT_EQ(scaler.get_scale(), run.at("scales")[i].get<double>()) << i;
    }
  }
}

TEST(MixedPrecision, TheModelRunsInBfloat16AndPredictionsAreFloat32) {
  struct See {
    int order = -40;  // before the cast back
    std::vector<torch::ScalarType> pred, loss;
    void after_pred(Learner& learn) { pred.push_back(learn.pred.scalar_type()); }
    void after_loss(Learner& learn) { loss.push_back(learn.loss.scalar_type()); }
  };
  auto see = std::make_shared<See>();
  Learner learn = tiny_learner({Callback(see)});
  learn.to_bf16();
  learn.fit(3, 0.05);
  for (const auto type : see->pred) EXPECT_EQ(type, torch::kBFloat16);
  for (const auto type : see->loss) EXPECT_EQ(type, torch::kFloat32);
  EXPECT_EQ(learn.model.module().parameters()[0].scalar_type(), torch::kFloat32);
  EXPECT_FALSE(at::autocast::is_autocast_enabled(torch::kCPU));
  EXPECT_LT(learn.recorder().losses.back(), learn.recorder().losses.front());
  EXPECT_EQ(learn.get_preds().preds.scalar_type(), torch::kFloat32);

  see->pred.clear();
  learn.to_fp32();
  learn.fit(1, 0.05);
  for (const auto type : see->pred) EXPECT_EQ(type, torch::kFloat32);
}

TEST(MixedPrecision, AStepWithInfiniteGradientsIsLeftOutAndTheScaleHalves) {
  struct Overflow {
    int order = 5;  // before the scaler looks
    bool run_valid = false;
    void before_step(Learner& learn) const {
      if (learn.train_iter == 1) learn.model.module().parameters()[0].mutable_grad().fill_(INFINITY);
    }
  };
  struct Weights0 {
    std::vector<torch::Tensor> seen;
    void after_batch(Learner& learn) {
      if (learn.training) seen.push_back(learn.model.module().parameters()[0].detach().clone());
    }
  };
  auto weights = std::make_shared<Weights0>();
  auto half = std::make_shared<MixedPrecision>(
      MixedPrecisionOptions{.scaler = {.init_scale = 64, .growth_interval = 2}});
  Learner learn = tiny_learner({Overflow{}, Callback(weights), Callback(half)});
  learn.fit(1, 0.05);
  ASSERT_EQ(weights->seen.size(), 5u);
  EXPECT_FALSE(torch::equal(weights->seen[0], weights->seen[2]));
  EXPECT_TRUE(torch::equal(weights->seen[0], weights->seen[1])) << "the step was left out";
  // good, overflow, good, good (grows), good
  EXPECT_EQ(half->scales(), (std::vector<double>{64, 32, 32, 64}));
}

TEST(MixedPrecision, AutocastEndsAlsoWhereTheForwardPassThrows) {
  struct Fails {
    void after_pred(Learner&) const { throw std::runtime_error("mine"); }
  };
  {
    Learner learn = tiny_learner({Fails{}});
    learn.to_bf16();
    EXPECT_THROW(learn.fit(1, 0.05), std::runtime_error);
  }
  EXPECT_FALSE(at::autocast::is_autocast_enabled(torch::kCPU));
}

}  // namespace kindling
