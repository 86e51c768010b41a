#include <kindling/core/error.hpp>
#include <kindling/tabular.hpp>

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

std::vector<std::string> texts_of(const std::vector<TableFinding>& findings) {
  std::vector<std::string> texts;
  for (const TableFinding& f : findings) texts.push_back(std::string(name_of(f.problem)) + ": " + f.text);
  return texts;
}

/// y is 3a - 2b and a little noise; "copy" is y in other words.
Table linear(std::int64_t n) {
  std::vector<double> a, b, y, copy;
  for (std::int64_t i = 0; i < n; ++i) {
    a.push_back(static_cast<double>(i % 31) / 10);
    b.push_back(static_cast<double>(i % 17) / 5);
    y.push_back(3 * a.back() - 2 * b.back() + 0.01 * static_cast<double>(i % 7));
    copy.push_back(2 * y.back() + 1);
  }
  return Table({{"a", a}, {"b", b}, {"copy", copy}, {"y", y}});
}

DataLoaders linear_loaders(std::vector<std::string> cont) {
  return TabularDataLoaders::from_df(
      linear(1000), {.procs = {Normalize()}, .cont_names = std::move(cont), .y_names = {"y"}, .seed = 3});
}

}  // namespace

TEST(CheckTable, NamesWhatCannotTeach) {
  std::vector<std::int64_t> id, code;
  std::vector<std::string> same, level, mixed;
  Table::Numbers rare;
  for (std::int64_t i = 0; i < 40; ++i) {
    id.push_back(1000 - i);
    same.push_back("x");
    code.push_back(i % 3);
    level.push_back(i % 3 == 0 ? "low" : i % 3 == 1 ? "mid" : "high");
    mixed.push_back(i % 10 == 0 ? "?" : std::to_string(i % 4));
    rare.push_back(i == 7 ? std::optional<double>(1) : i == 9 ? std::optional<double>(2) : std::nullopt);
  }
  const Table t({{"id", id}, {"same", same}, {"code", code}, {"level", level}, {"mixed", mixed}, {"rare", rare}, {"y", same}});
  EXPECT_THAT(texts_of(check_table(t, "y")),
              ElementsAre("identifier: 'id' is different in every row: an identifier, of which nothing can be learnt",
                          "constant: 'same' is 'x' in every row", "duplicate: 'level' says the same as 'code'",
                          "mixed_types: 'mixed' is text because of cells like '?', but 36 of 40 cells are numbers",
                          "mostly_missing: 'rare' is missing in 38 of 40 rows"));
}

TEST(CheckTable, NamesWhatDrifts) {
  std::vector<double> x, shifted;
  std::vector<std::string> c, other;
  for (int i = 0; i < 100; ++i) {
    x.push_back(i);
    shifted.push_back(i + 30);
    c.push_back(i % 2 ? "a" : "b");
    other.push_back(i % 4 ? "a" : "c");
  }
  const auto findings = check_drift(Table({{"x", x}, {"c", c}}), Table({{"x", shifted}, {"c", other}}));
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_THAT(findings[0].text, HasSubstr("30 %"));
  EXPECT_THAT(findings[1].text, HasSubstr("50 %"));
  EXPECT_TRUE(check_drift(Table({{"x", x}, {"c", c}}), Table({{"x", x}, {"c", c}})).empty());
}

TEST(Baselines, ARidgeRegressionFindsTheLine) {
  const auto found = baselines(linear_loaders({"a", "b"}));
  ASSERT_GE(found.size(), 2u);
  EXPECT_EQ(found[0].name, "mean");
  EXPECT_LT(found[0].figures[1].second, 0.02);
  EXPECT_EQ(found[1].name, "ridge regression");
  EXPECT_GT(found[1].figures[1].second, 0.999);
  EXPECT_THAT(to_string(found), HasSubstr("mean: rmse"));
}

TEST(Baselines, ALogisticRegressionBeatsTheMostFrequentClass) {
  std::vector<double> a;
  std::vector<std::string> c, y;
  for (int i = 0; i < 600; ++i) {
    a.push_back((i * 37) % 101 - 50);
    c.push_back(i % 3 ? "p" : "q");
    y.push_back(a.back() + (i % 3 ? 0 : 30) > 10 ? "yes" : "no");
  }
  const auto dls = TabularDataLoaders::from_df(Table({{"a", a}, {"c", c}, {"y", y}}),
                                               {.procs = {Categorify(), Normalize()}, .cat_names = {"c"}, .y_names = {"y"}, .seed = 3});
  const auto found = baselines(dls);
  ASSERT_GE(found.size(), 2u);
  EXPECT_LT(found[0].figures[0].second, 0.7);
  EXPECT_GT(found[1].figures[0].second, 0.95);
}

TEST(Baselines, TreesAreAmongThemWhereLightGbmIsInstalled) {
  std::vector<double> a;
  std::vector<std::string> c, y;
  for (int i = 0; i < 1200; ++i) {
    a.push_back((i * 37) % 101 - 50);
    c.push_back(i % 3 ? "p" : "q");
    // Near 0 or far from it: no line tells.
    y.push_back(std::abs(a.back()) > (i % 3 ? 20 : 35) ? "yes" : "no");
  }
  const auto found = baselines(TabularDataLoaders::from_df(
      Table({{"a", a}, {"c", c}, {"y", y}}), {.procs = {Categorify(), Normalize()}, .cat_names = {"c"}, .y_names = {"y"}, .seed = 3}));
  if (found.size() < 3) GTEST_SKIP() << "LightGBM is not installed (KINDLING_LIGHTGBM names its library)";
  EXPECT_EQ(found[2].name, "LightGBM");
  EXPECT_LT(found[1].figures[0].second, 0.8);
  EXPECT_GT(found[2].figures[0].second, 0.97);
}

TEST(Leaks, AColumnThatHoldsTheTargetIsNamed) {
  const auto leaks = leaking_columns(linear_loaders({"a", "b", "copy"}));
  ASSERT_EQ(leaks.size(), 1u);
  EXPECT_EQ(leaks[0].column, "copy");
  EXPECT_GT(leaks[0].score, 0.98);
  EXPECT_TRUE(leaking_columns(linear_loaders({"a", "b"})).empty());
}

TEST(Importance, TheColumnThatMattersComesFirst) {
  torch::manual_seed(1);
  auto learn = tabular_learner(linear_loaders({"b", "a"}), {.layers = {20}, .listener = silent_listener()});
  learn.fit_one_cycle(5, 1e-2);
  const auto importance = permutation_importance(learn, learn.dls.valid());
  EXPECT_EQ(importance.front().column, "a");
  const Figure f = partial_dependence(learn, learn.dls.valid(), "a");
  const std::string spec = f.spec().dump();
  EXPECT_THAT(spec, HasSubstr("\"a\""));
  EXPECT_THROW(partial_dependence(learn, learn.dls.valid(), "c"), Error);
}

}  // namespace kindling
