#include <kindling/core/error.hpp>
#include <kindling/train/optimizer.hpp>

#include "golden.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using testing::golden;
using testing::tensor_from;

namespace {

OptFunc opt_func_of(const Json& run) {
  const Json& s = run.at("settings");
  if (run.at("opt") == "sgd") {
    return SGD(
        {.mom = s.value("mom", 0.0), .wd = s.value("wd", 0.0), .decouple_wd = s.value("decouple_wd", true)});
  }
  return Adam({.mom = s.value("mom", 0.9),
               .sqr_mom = s.value("sqr_mom", 0.99),
               .eps = s.value("eps", 1e-5),
               .wd = s.value("wd", 0.01),
               .decouple_wd = s.value("decouple_wd", true)});
}

/// Largest distance of the parameters from fastai's over the 20 steps of a golden run.
double largest_difference(const Json& problem, const Json& run) {
  ParamGroups groups;
  for (const Json& p : problem.at("params")) groups.push_back({{.tensor = tensor_from(p).requires_grad_()}});
  groups[1][0].do_wd = run.at("second_group_decays").get<bool>();
  auto opt = opt_func_of(run)(groups);
  double largest = 0;
  for (std::size_t step = 0; step < run.at("after").size(); ++step) {
    opt->set_hyper("lr", Hyper(run.at("lr")[step].get<std::vector<double>>()));
    if (!run.at("mom").is_null()) opt->set_hyper("mom", run.at("mom")[step].get<double>());
    for (std::size_t g = 0; g < 2; ++g) {
      groups[g][0].tensor.mutable_grad() = tensor_from(problem.at("grads")[step][g]);
    }
    opt->step();
    auto ours = torch::cat({groups[0][0].tensor.flatten(), groups[1][0].tensor.flatten()});
    auto theirs = torch::tensor(run.at("after")[step].get<std::vector<float>>());
    largest = std::max(largest, (ours - theirs).abs().max().item<double>());
  }
  return largest;
}

ParamGroups small_groups() {
  ParamGroups groups(3);
  for (auto& group : groups) group.push_back({.tensor = torch::ones({2}).requires_grad_()});
  groups[0].push_back({.tensor = torch::ones({2}).requires_grad_(), .force_train = true});
  return groups;
}

}  // namespace

TEST(Optimizer, TwentyStepsOfEveryGoldenRunEqualFastais) {
  const Json problem = golden("train/optimizers.json");
  ASSERT_EQ(problem.at("runs").size(), 18u);
  for (const Json& run : problem.at("runs")) {
    EXPECT_LT(largest_difference(problem, run), 2e-6) << run.at("opt") << " " << run.at("settings");
  }
}

TEST(Optimizer, FreezeLeavesForcedParametersTrainable) {
  auto opt = SGD()(small_groups());
  opt->freeze();
  EXPECT_FALSE(opt->groups()[0][0].tensor.requires_grad());
  EXPECT_TRUE(opt->groups()[0][1].tensor.requires_grad());
  EXPECT_FALSE(opt->groups()[1][0].tensor.requires_grad());
  EXPECT_TRUE(opt->groups()[2][0].tensor.requires_grad());
  EXPECT_EQ(opt->frozen_groups(), 2);
  opt->unfreeze();
  EXPECT_TRUE(opt->groups()[0][0].tensor.requires_grad());
  EXPECT_EQ(opt->frozen_groups(), 0);
}

TEST(Optimizer, FreezeToAGroupThatIsNotThereIsRefused) {
  auto opt = SGD()(small_groups());
  try {
    opt->freeze_to(4);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("(n: 4, groups: 3)"));
  }
}

TEST(Optimizer, ParametersWithoutGradientStay) {
  auto groups = small_groups();
  auto opt = Adam({.wd = 0.5})(groups);
  groups[2][0].tensor.mutable_grad() = torch::ones({2});
  opt->step();
  EXPECT_TRUE(torch::equal(groups[0][0].tensor, torch::ones({2})));
  EXPECT_FALSE(torch::equal(groups[2][0].tensor, torch::ones({2})));
}

TEST(Optimizer, UnknownHyperParameterIsRefused) {
  auto opt = SGD()(small_groups());
  EXPECT_FALSE(opt->has_hyper("sqr_mom"));
  EXPECT_THROW(opt->set_hyper("sqr_mom", 0.9), Error);
}

}  // namespace kindling
