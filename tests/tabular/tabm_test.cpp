#include <kindling/core/error.hpp>
#include <kindling/serve/predictor.hpp>
#include <kindling/tabular.hpp>

#include "core/temporary_folder.hpp"
#include "tabular/rings.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

namespace kindling {

using testing::rings;

namespace {

TabularDataLoadersOptions options(const std::string& target) {
  return {.procs = tabm_procs(), .cat_names = {"c"}, .cont_names = std::vector<std::string>{"a", "b"}, .y_names = {target}, .seed = 1, .bs = 128};
}

}  // namespace

TEST(RobustScale, QuartilesAreOneApartAndOutliersStayBelowThree) {
  const Table t({{"x", std::vector<double>{0, 1, 2, 3, 4, 1e6}}, {"k", std::vector<double>{5, 5, 5, 5, 5, 5}}});
  const TabularData data(t, {.procs = {RobustScale()}, .cont_names = {"x", "k"}});
  const auto bent = [](double x) { return x / std::sqrt(1 + x * x / 9); };
  // numpy: median 2.5, quartiles 1.25 and 3.75
  EXPECT_NEAR(data.conts()[0][0].item<double>(), bent((0 - 2.5) / 2.5), 1e-6);
  EXPECT_NEAR(data.conts()[3][0].item<double>(), bent((3 - 2.5) / 2.5), 1e-6);
  EXPECT_NEAR(data.conts()[5][0].item<double>(), 3, 1e-4);
  EXPECT_EQ(data.conts()[2][1].item<double>(), 0);
  TabularFrame frame;
  frame.conts["x"] = data.conts().select(1, 0).slice(0, 0, 5);
  data.encoder().procs().front().decodes(frame);
  EXPECT_NEAR(frame.conts["x"][4].item<double>(), 4, 1e-4);
}

TEST(TabM, MembersDifferInTrainingAndAreAveragedOtherwise) {
  torch::manual_seed(1);
  TabM net({5, 30}, 2, 3, /*classes=*/true, {.k = 4, .width = 8, .dropout = 0});
  const auto x = torch::randn({50, 2});
  net.set_edges(x);
  const auto cats = torch::stack({torch::randint(0, 5, {50}), torch::randint(0, 30, {50})}, 1);
  net.train();
  const auto members = net.forward(cats, x);
  EXPECT_EQ(members.sizes(), (std::vector<std::int64_t>{50, 4, 3}));
  EXPECT_GT((members.select(1, 0) - members.select(1, 1)).abs().max().item<double>(), 1e-3);
  net.eval();
  const auto want = torch::softmax(members, 2).mean(1);
  EXPECT_LT((torch::softmax(net.forward(cats, x), 1) - want).abs().max().item<double>(), 1e-5);
  net.set_temperature(2);
  EXPECT_LT((net.forward(cats, x) - want.log() / 2).abs().max().item<double>(), 1e-5);
}

TEST(TabM, LearnsRingsAndItsExportSaysTheSame) {
  torch::manual_seed(1);
  auto learn = tabm_learner(TabularDataLoaders::from_df(rings(3000), options("ring")),
                            {.config = {.k = 8, .width = 32}, .metrics = {accuracy}, .lr = 1e-2, .listener = silent_listener()});
  const int best = fit_tabm(learn, 6);
  EXPECT_GE(best, 0);
  EXPECT_GT(learn.validate().back(), 0.93);
  EXPECT_NE(dynamic_cast<TabM&>(learn.model.module()).temperature(), 1);
  const testing::TemporaryFolder folder;
  learn.export_to(folder / "rings.safetensors");
  const Table fresh = rings(40);
  const auto want = learn.get_preds({.dl = test_dl(learn.dls, fresh)}).preds;
  const Predictor predictor(folder / "rings.safetensors");
  EXPECT_LT((predictor.outputs(rows_of(fresh)) - want).abs().max().item<double>(), 1e-5);
}

TEST(Folds, EachRowValidatesOnceAndClassesAreSpreadAlike) {
  auto classes = torch::zeros({100}, torch::kInt64);
  classes.slice(0, 0, 20).fill_(1);
  std::vector<int> times(100);
  for (const Splits& split : fold_splits(100, 5, 1, classes)) {
    EXPECT_EQ(split.train.size(), 80u);
    int ones = 0;
    for (std::int64_t i : split.valid) {
      ++times[static_cast<std::size_t>(i)];
      ones += i < 20;
    }
    EXPECT_EQ(ones, 4);
  }
  EXPECT_EQ(times, std::vector<int>(100, 1));
  EXPECT_THROW(fold_splits(3, 4, 1), Error);
}

TEST(Folds, TheAverageOfTheFoldsIsExported) {
  torch::manual_seed(1);
  const TabularData data(rings(900), {.procs = tabm_procs(), .cat_names = {"c"}, .cont_names = {"a", "b"}, .y_names = {"ring"}});
  auto folds = train_folds(
      data,
      [](DataLoaders dls) {
        return tabm_learner(dls, {.config = {.k = 4, .width = 16}, .metrics = {accuracy}, .lr = 1e-2, .listener = silent_listener()});
      },
      [](Learner& learn) { fit_tabm(learn, 2); }, {.k = 3, .loaders = {.bs = 64}, .listener = silent_listener()});
  EXPECT_EQ(folds.values.size(), 3u);
  EXPECT_FALSE(torch::isnan(folds.preds).any().item<bool>());
  EXPECT_LT((folds.preds.sum(1) - 1).abs().max().item<double>(), 1e-5);
  const testing::TemporaryFolder folder;
  folds.learn.export_to(folder / "folds.safetensors");
  const Table fresh = rings(20);
  const auto want = folds.learn.get_preds({.dl = test_dl(folds.learn.dls, fresh)}).preds;
  EXPECT_LT((Predictor(folder / "folds.safetensors").outputs(rows_of(fresh)) - want).abs().max().item<double>(), 1e-5);
}

TEST(TabM, LearnsNumbersInTheTargetsOwnUnits) {
  torch::manual_seed(1);
  auto learn = tabm_learner(TabularDataLoaders::from_df(rings(3000), options("r")),
                            {.config = {.k = 8, .width = 32}, .metrics = {rmse}, .lr = 1e-2, .listener = silent_listener()});
  fit_tabm(learn, 6);
  EXPECT_LT(learn.validate().back(), 0.4);  // the target's deviation is about 2
}

}  // namespace kindling
