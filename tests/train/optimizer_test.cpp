#include <kindling/core/error.hpp>
#include <kindling/train/optim_wrapper.hpp>

#include "golden.hpp"

#include <algorithm>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/adamw.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

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

namespace {

/// A setting of a golden run, or fastai's default.
struct Settings {
  const Json& json;
  template <class T>
  T operator()(const char* name, T usual) const {
    return json.value(name, usual);
  }
};

OptFunc rms_prop(const Settings& s) {
  return RMSProp({.mom = s("mom", 0.0), .wd = s("wd", 0.0), .decouple_wd = s("decouple_wd", true)});
}
OptFunc radam(const Settings& s) {
  return RAdam({.eps = s("eps", 1e-5),
                .wd = s("wd", 0.0),
                .beta = s("beta", 0.0),
                .decouple_wd = s("decouple_wd", true)});
}
OptFunc qhadam(const Settings& s) {
  return QHAdam({.mom = s("mom", 0.999),
                 .sqr_mom = s("sqr_mom", 0.999),
                 .nu_1 = s("nu_1", 0.7),
                 .nu_2 = s("nu_2", 1.0),
                 .wd = s("wd", 0.0),
                 .decouple_wd = s("decouple_wd", true)});
}
OptFunc larc(const Settings& s) {
  return Larc({.mom = s("mom", 0.9),
               .clip = s("clip", true),
               .trust_coeff = s("trust_coeff", 0.02),
               .wd = s("wd", 0.0),
               .decouple_wd = s("decouple_wd", true)});
}

/// Every optimizer of the golden file, at the run's settings.
OptFunc engine_opt_func(const std::string& name, const Json& json) {
  namespace optim = torch::optim;
  const Settings s{json};
  if (name == "SGD") return SGD({.mom = s("mom", 0.0)});
  if (name == "Adam") return Adam();
  if (name == "RMSProp") return rms_prop(s);
  if (name == "RAdam") return radam(s);
  if (name == "QHAdam") return qhadam(s);
  if (name == "Larc") return larc(s);
  if (name == "Lamb") return Lamb({.wd = s("wd", 0.0), .decouple_wd = s("decouple_wd", true)});
  if (name == "Lookahead(SGD)") return Lookahead(SGD({.mom = s("mom", 0.0)}));
  if (name == "Lookahead(Adam, k=3, alpha=0.8)") return Lookahead(Adam(), {.k = 3, .alpha = 0.8});
  if (name == "ranger") return ranger({.wd = s("wd", 0.01)});
  if (name == "torch AdamW")
    return OptimWrapper<optim::AdamW>(optim::AdamWOptions(0.1).weight_decay(s("weight_decay", 0.01)));
  if (name == "torch SGD")
    return OptimWrapper<optim::SGD>(
        optim::SGDOptions(0.1).momentum(s("momentum", 0.0)).weight_decay(s("weight_decay", 0.0)));
  if (name == "torch RMSprop")
    return OptimWrapper<optim::RMSprop>(
        optim::RMSpropOptions(0.1).alpha(s("alpha", 0.99)).momentum(s("momentum", 0.0)));
  if (name == "torch Adagrad")
    return OptimWrapper<optim::Adagrad>(optim::AdagradOptions(0.1).weight_decay(s("weight_decay", 0.0)));
  throw std::runtime_error("the golden file has an optimizer that this test does not know: " + name);
}

/// One golden run, step by step.
struct EngineRun {
  const Json& file;
  const Json& run;
  ParamGroups groups;
  std::unique_ptr<Optimizer> opt;

  EngineRun(const Json& f, const Json& r) : file(f), run(r) {
    for (const Json& p : file.at("params")) groups.push_back({{.tensor = tensor_from(p).requires_grad_()}});
    groups[1][0].do_wd = !special("no_decay");
    opt = engine_opt_func(run.at("opt").get<std::string>(), run.at("settings"))(groups);
    opt->set_hyper("lr", Hyper{0.1, 0.05});
  }
  bool special(const std::string& what) const {
    const auto all = run.at("special").get<std::vector<std::string>>();
    return std::find(all.begin(), all.end(), what) != all.end();
  }
  void step(std::size_t i) {
    if (special("scheduled")) {
      const double lr = file.at("lr")[i].get<double>();
      opt->set_hyper("lr", Hyper{lr, lr / 2});
      opt->set_hyper("mom", file.at("mom")[i].get<double>());
    }
    for (std::size_t g = 0; g < 2; ++g) groups[g][0].tensor.mutable_grad() = tensor_from(file.at("grads")[i][g]);
    if (special("late") && i < 7) groups[1][0].tensor.mutable_grad().reset();
    opt->step();
  }
  torch::Tensor params() const {
    return torch::cat({groups[0][0].tensor.detach().flatten(), groups[1][0].tensor.detach().flatten()});
  }
};

std::map<std::string, torch::Tensor> copies(const Optimizer::NamedTensors& tensors) {
  std::map<std::string, torch::Tensor> all;
  for (const auto& [name, tensor] : tensors) all.emplace(name, tensor.detach().clone());
  return all;
}

}  // namespace

TEST(Optimizers, TwentyStepsOfEachEqualFastais) {
  const Json file = golden("train/engine_optimizers.json");
  ASSERT_EQ(file.at("runs").size(), 28u);
  for (const Json& run : file.at("runs")) {
    EngineRun ours(file, run);
    for (std::size_t i = 0; i < run.at("after").size(); ++i) {
      ours.step(i);
      const auto theirs = torch::tensor(run.at("after")[i].get<std::vector<float>>());
      ASSERT_LT((ours.params() - theirs).abs().max().item<double>(), 5e-6)
          << run.at("opt") << " " << run.at("settings") << " step " << i;
    }
  }
}

TEST(Optimizers, StateAndHypersGoOnBitEqual) {
  const Json file = golden("train/engine_optimizers.json");
  for (const Json& run : file.at("runs")) {
    SCOPED_TRACE(run.at("opt").get<std::string>() + " " + run.at("settings").dump());
    EngineRun whole(file, run), resumed(file, run);
    for (std::size_t i = 0; i < 10; ++i) whole.step(i);
    {
      torch::NoGradGuard no_grad;
      for (std::size_t g = 0; g < 2; ++g) resumed.groups[g][0].tensor.copy_(whole.groups[g][0].tensor);
    }
    resumed.opt->load_hypers(parse_json(whole.opt->hypers_to_json().dump(), "test"));
    resumed.opt->load_state(copies(whole.opt->state()));
    for (std::size_t i = 10; i < 20; ++i) {
      whole.step(i);
      resumed.step(i);
    }
    EXPECT_TRUE(torch::equal(whole.params(), resumed.params()));
  }
}

TEST(Optimizers, StateIsNamedByPlace) {
  auto groups = ParamGroups{{{.tensor = torch::ones({2}).requires_grad_()},
                             {.tensor = torch::ones({3}).requires_grad_()}}};
  auto opt = Lookahead(Adam())(groups);
  EXPECT_TRUE(opt->state().empty());
  groups[0][1].tensor.mutable_grad() = torch::ones({3});
  opt->step();
  std::vector<std::string> names;
  for (const auto& [name, tensor] : opt->state()) names.push_back(name);
  EXPECT_THAT(names, ::testing::ElementsAre("0.1.grad_avg", "0.1.sqr_avg", "0.1.step", "lookahead.count",
                                            "lookahead.0.0", "lookahead.0.1"));
  opt->clear_state();
  EXPECT_TRUE(opt->state().empty());
}

TEST(Optimizers, HypersOfAnotherOptimizerAreRefused) {
  auto groups = [] { return ParamGroups{{{.tensor = torch::ones({2}).requires_grad_()}}}; };
  auto adam = Adam()(groups()), sgd = SGD()(groups());
  try {
    sgd->load_hypers(adam->hypers_to_json());
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_weights);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("of another optimizer"));
    EXPECT_THAT(e.what(), ::testing::HasSubstr("got: \"Adam\" over [1]"));
  }
  for (const char* bad : {"null", "[]", "{}", R"({"optimizer": "SGD", "params": [1], "groups": [], "frozen": 0})",
                          R"({"optimizer": "SGD", "params": [1], "groups": [{"lr": "x"}], "frozen": 0})",
                          R"({"optimizer": "SGD", "params": [1], "groups": [{"lr": 1, "mom": 0, "wd": 0}],
                              "frozen": 2})"}) {
    EXPECT_THROW(sgd->load_hypers(parse_json(bad, "test")), Error) << bad;
  }
}

TEST(Optimizers, StateThatDoesNotFitIsRefusedAndChangesNothing) {
  auto groups = ParamGroups{{{.tensor = torch::ones({2}).requires_grad_()}}};
  auto opt = Adam()(groups);
  groups[0][0].tensor.mutable_grad() = torch::ones({2});
  opt->step();
  const auto before = copies(opt->state());
  const std::vector<std::map<std::string, torch::Tensor>> bad = {
      {{"0.1.grad_avg", torch::zeros({2})}}, {{"1.0.grad_avg", torch::zeros({2})}},
      {{"0.0.grad_avg", torch::zeros({3})}}, {{"0.0.step", torch::zeros({2})}},
      {{"0.0", torch::zeros({2})}},          {{"0.0.", torch::zeros({2})}},
      {{"-1.0.step", torch::zeros({})}},     {{"99999999999999999999.0.step", torch::zeros({})}}};
  for (const auto& tensors : bad) {
    EXPECT_THROW(opt->load_state(tensors), Error) << tensors.begin()->first;
  }
  for (const auto& [name, tensor] : opt->state()) EXPECT_TRUE(torch::equal(tensor, before.at(name))) << name;
}

TEST(Optimizers, GradientsInAnotherLayoutAreStillTheirs) {
  for (const OptFunc& opt_func : {SGD({.mom = 0.9}), Adam(), RAdam()}) {
    const auto start = torch::arange(24, torch::kFloat32).reshape({2, 3, 2, 2});
    auto plain = ParamGroups{{{.tensor = start.clone().requires_grad_()}}};
    auto last = ParamGroups{
        {{.tensor = start.clone(torch::MemoryFormat::ChannelsLast).requires_grad_()}}};
    auto a = opt_func(plain), b = opt_func(last);
    for (int i = 0; i < 3; ++i) {
      plain[0][0].tensor.mutable_grad() = start.cos();
      last[0][0].tensor.mutable_grad() = start.cos();  // contiguous, unlike its parameter
      a->step();
      b->step();
    }
    EXPECT_TRUE(torch::allclose(plain[0][0].tensor, last[0][0].tensor, 0, 1e-6));
  }
}

namespace {

/// Two parameters after eight steps, the first 50 times over in one tensor of several blocks, channels last. The second
/// has gradients from the fourth step on.
std::vector<torch::Tensor> after_steps(const OptFunc& opt_func, torch::ScalarType dtype, std::int64_t times) {
  const auto numbers = torch::arange(2 * 67 * 25, dtype).reshape({2, 67, 5, 5}).mul(0.37).sin();
  const auto tensor_of = [&](const torch::Tensor& one) {
    return one.unsqueeze(0).repeat({times, 1, 1, 1}).contiguous(torch::MemoryFormat::ChannelsLast);
  };
  std::vector<Param> params;
  for (int i : {0, 1}) params.push_back({.tensor = tensor_of(numbers[i]).requires_grad_()});
  const auto opt = opt_func({params});
  for (int step = 0; step < 8; ++step) {
    for (int i : {0, 1}) {
      if (step >= 3 * i) params[i].tensor.mutable_grad() = tensor_of((numbers[i] + step).cos());
    }
    opt->step();
  }
  for (const auto& [name, tensor] : opt->state()) EXPECT_FALSE(tensor.requires_grad()) << name;
  return {params[0].tensor.detach(), params[1].tensor.detach()};
}

const std::vector<std::pair<std::string, OptFunc>> all_optimizers = {
    {"SGD", SGD({.mom = 0.9})},
    {"Adam", Adam()},
    {"RMSProp", RMSProp({.mom = 0.9, .wd = 0.1})},
    {"RAdam", RAdam({.lr = 0.1, .wd = 0.1})},
    {"RAdam, decay in the gradient", RAdam({.lr = 0.1, .wd = 0.1, .decouple_wd = false})},
    {"SAdam", RAdam({.lr = 0.1, .beta = 50})},
    {"QHAdam", QHAdam({.lr = 0.1, .nu_2 = 0.9, .wd = 0.1})},
    {"Larc", Larc({.lr = 0.1, .wd = 0.1})},
    {"Lamb", Lamb({.lr = 0.1, .wd = 0.1})},
    {"ranger", ranger({.lr = 0.1})}};

}  // namespace

// Every number's step is its own, and the norms of Larc and Lamb grow alike.
TEST(Optimizers, NumbersManyTimesOverStepAsOnce) {
  for (const auto& [name, opt_func] : all_optimizers) {
    for (const auto& [dtype, tolerance] :
         {std::pair{torch::kFloat64, 1e-7}, {torch::kFloat32, 1e-5}, {torch::kBFloat16, 2e-2}, {torch::kHalf, 1e-2}}) {
      const auto once = after_steps(opt_func, dtype, 1), often = after_steps(opt_func, dtype, 50);
      for (int i : {0, 1}) {
        const double distance = (often[i] - once[i]).abs().max().item<double>();
        EXPECT_LT(distance, tolerance) << name << " " << dtype << " parameter " << i;
      }
    }
  }
}

TEST(Optimizers, ParametersOfOneGroupStepAsAlone) {
  const auto only = [](std::size_t i, const OptFunc& opt_func) {
    return [i, opt_func](ParamGroups groups) { return opt_func({{groups[0][i]}}); };
  };
  for (const auto& [name, opt_func] : all_optimizers) {
    const auto together = after_steps(opt_func, torch::kFloat32, 50);
    for (std::size_t i : {0, 1}) {
      EXPECT_TRUE(torch::equal(together[i], after_steps(only(i, opt_func), torch::kFloat32, 50)[i])) << name << " " << i;
    }
  }
}

TEST(Optimizers, NumberOfThreadsDoesNotChangeAStep) {
  const int threads = torch::get_num_threads();
  for (const auto& [name, opt_func] : all_optimizers) {
    torch::set_num_threads(1);
    const auto alone = after_steps(opt_func, torch::kFloat32, 50);
    torch::set_num_threads(2);
    const auto shared = after_steps(opt_func, torch::kFloat32, 50);
    for (int i : {0, 1}) EXPECT_TRUE(torch::equal(alone[i], shared[i])) << name << " parameter " << i;
  }
  torch::set_num_threads(threads);
}

TEST(Optimizers, MomentumThatSGDWasMadeWithoutStaysOffUnderASchedule) {
  auto groups = ParamGroups{{{.tensor = torch::zeros({1}).requires_grad_()}}};
  auto opt = SGD({.lr = 1})(groups);
  opt->set_hyper("mom", 0.9);
  for (int i = 0; i < 2; ++i) {
    groups[0][0].tensor.mutable_grad() = torch::ones({1});
    opt->step();
  }
  EXPECT_EQ(groups[0][0].tensor.item<float>(), -2);
}

TEST(Optimizers, LookaheadsSixthStepIsHalfWay) {
  auto fast = ParamGroups{{{.tensor = torch::ones({3}).requires_grad_()}}};
  auto wrapped = ParamGroups{{{.tensor = torch::ones({3}).requires_grad_()}}};
  auto sgd = SGD({.lr = 0.1})(fast), lookahead = Lookahead(SGD({.lr = 0.1}))(wrapped);
  for (int i = 0; i < 6; ++i) {
    fast[0][0].tensor.mutable_grad() = torch::ones({3});
    wrapped[0][0].tensor.mutable_grad() = torch::ones({3});
    sgd->step();
    lookahead->step();
  }
  EXPECT_TRUE(torch::allclose(wrapped[0][0].tensor, (fast[0][0].tensor + 1) / 2));
}

TEST(OptimWrapper, HypersCarryFastaisNames) {
  auto opt = OptimWrapper<torch::optim::AdamW>(torch::optim::AdamWOptions(0.01))(small_groups());
  EXPECT_EQ(opt->hypers(0), (Hypers{{"eps", 1e-8}, {"lr", 0.01}, {"mom", 0.9}, {"sqr_mom", 0.999}, {"wd", 0.01}}));
  EXPECT_EQ(opt->name(), "torch::optim::AdamW");
  EXPECT_THROW(opt->set_hyper("momentum", 0.5), Error);
}

TEST(OptimWrapper, LBFGSIsRefused) {
  try {
    OptimWrapper<torch::optim::LBFGS>(torch::optim::LBFGSOptions(0.01))(ParamGroups{small_groups()[1]});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::unsupported);
  }
}

TEST(OptimWrapper, ClearedAdagradGoesOn) {
  auto groups = ParamGroups{{{.tensor = torch::ones({2}).requires_grad_()}}};
  auto opt = OptimWrapper<torch::optim::Adagrad>(torch::optim::AdagradOptions(0.1))(groups);
  for (int i = 0; i < 2; ++i) {
    groups[0][0].tensor.mutable_grad() = torch::ones({2});
    opt->step();
    opt->clear_state();
  }
  EXPECT_TRUE(torch::allclose(groups[0][0].tensor, torch::full({2}, 0.8)));
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
