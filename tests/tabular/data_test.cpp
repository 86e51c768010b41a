#include <kindling/core/error.hpp>
#include <kindling/serve/predictor.hpp>
#include <kindling/tabular.hpp>

#include "core/temporary_folder.hpp"
#include "error_in.hpp"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

namespace kindling {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

using kindling::testing::error_in;

using Names = std::vector<std::string>;

std::vector<std::int64_t> codes_of(const torch::Tensor& cats, std::int64_t column) {
  const auto codes = cats.select(1, column).to(torch::kInt64).contiguous();
  return {codes.const_data_ptr<std::int64_t>(), codes.const_data_ptr<std::int64_t>() + codes.numel()};
}

std::string column_of(const Error& e) {
  return e.fact("column");
}

/// y is "yes" where a number is large, with a class that says the same half of the time.
Table made_up(std::int64_t n) {
  std::vector<std::string> colour, y;
  Table::Numbers size;
  std::vector<std::int64_t> count;
  for (std::int64_t i = 0; i < n; ++i) {
    const bool yes = (i * 7919) % 13 > 5;
    colour.push_back(yes ? (i % 2 ? "red" : "blue") : (i % 3 ? "green" : "blue"));
    size.push_back(i % 11 == 0 ? std::nullopt : std::optional<double>((yes ? 1.0 : -1.0) + 0.1 * static_cast<double>(i % 5)));
    count.push_back(i % 17);
    y.push_back(yes ? "yes" : "no");
  }
  return Table({{"colour", colour}, {"size", size}, {"count", count}, {"y", y}});
}

TabularDataLoadersOptions made_up_options() {
  return {.procs = {Categorify(), FillMissing(), Normalize()},
          .cat_names = {"colour"},
          .cont_names = Names{"size", "count"},
          .y_names = {"y"},
          .seed = 42,
          .bs = 32};
}

}  // namespace

// The golden cases of fastai's own notebooks.

TEST(TabularData, CodesAreThoseOfTheTrainingRows) {
  const Table a({{"a", std::vector<std::int64_t>{0, 1, 2, 3, 2}}});
  const TabularData data(a, {.procs = {Categorify()}, .cat_names = {"a"}, .splits = Splits{{0, 1, 2}, {3, 4}}});
  EXPECT_THAT(data.encoder().classes("a").items(), ElementsAre("#na#", "0", "1", "2"));
  EXPECT_THAT(codes_of(data.cats(), 0), ElementsAre(1, 2, 3, 0, 3));
  const Table fresh({{"a", std::vector<std::int64_t>{1, 0, 3, -1, 2}}});
  EXPECT_THAT(codes_of(tensor_of(data.encoder().encode(fresh, false)[0]), 0), ElementsAre(2, 1, 0, 0, 3));
}

TEST(TabularData, ClassesOfTextTargetsAndAddedColumnsAreThoseOfFastai) {
  const Table t({{"a", std::vector<std::int64_t>{0, 1, 2, 1, 1, 2, 0}},
                 {"b", Table::Numbers{0, std::nullopt, 1, 1, 2, 3, 4}},
                 {"c", std::vector<std::string>{"b", "a", "b", "a", "a", "b", "a"}}});
  const TabularData data(t, {.procs = {Normalize(), Categorify(), FillMissing()},
                             .cat_names = {"a"},
                             .cont_names = {"b"},
                             .y_names = {"c"},
                             .splits = Splits{{0, 1, 4, 6}, {2, 3, 5}}});
  EXPECT_THAT(data.encoder().cat_names(), ElementsAre("a", "b_na"));
  EXPECT_THAT(codes_of(data.cats(), 0), ElementsAre(1, 2, 2, 1, 0, 2, 0));
  EXPECT_THAT(codes_of(data.cats(), 1), ElementsAre(1, 2, 1, 1, 1, 1, 1));
  EXPECT_THAT(codes_of(data.ys().unsqueeze(1), 0), ElementsAre(1, 0, 0, 0, 1, 0, 1));
  EXPECT_THAT(data.encoder().classes("b_na").items(), ElementsAre("#na#", "False", "True"));
}

TEST(FillMissing, ThreeStrategies) {
  const Table t({{"a", Table::Numbers{0, 1, std::nullopt, 1, 2, 3, 4}}});
  const auto value = [&](FillStrategy strategy) {
    const TabularData data(t, {.procs = {FillMissing({.fill_strategy = strategy}), Categorify()}, .cont_names = {"a"}});
    return data.conts()[2][0].item<double>();
  };
  EXPECT_EQ(value(FillStrategy::median), 1.5);
  EXPECT_EQ(value(FillStrategy::constant), 0);
  EXPECT_EQ(value(FillStrategy::mode), 1);
}

TEST(FillMissing, ANumberMissingForTheFirstTimeIsAnErrorOrFilled) {
  const Table t({{"a", std::vector<double>{1, 2, 3}}});
  const Table gap({{"a", Table::Numbers{1, std::nullopt}}});
  const TabularData strict(t, {.procs = {FillMissing()}, .cont_names = {"a"}});
  const Error e = error_in([&] { strict.encoder().encode(gap, false); });
  EXPECT_EQ(e.code(), ErrorCode::bad_data);
  EXPECT_EQ(e.message(), "a number is missing in a column that had none missing in training");
  EXPECT_EQ(column_of(e), "a");
  EXPECT_EQ(e.fact("first"), "row 1");
  const TabularData fills(t, {.procs = {FillMissing({.fill_new = true})}, .cont_names = {"a"}});
  EXPECT_EQ(tensor_of(fills.encoder().encode(gap, false)[1])[1][0].item<double>(), 2);
}

TEST(TabularData, BadTablesAreNamed) {
  const Table t = made_up(40);
  const auto with = [&](auto change) {
    TabularDataLoadersOptions o = made_up_options();
    change(o);
    return error_in([&] { TabularDataLoaders::from_df(t, o); });
  };
  EXPECT_THAT(with([](auto& o) { o.y_names = {"yy"}; }).what(), HasSubstr("no column 'yy'"));
  EXPECT_THAT(with([](auto& o) { o.cat_names = {"color"}; }).hint(), HasSubstr("colour"));
  EXPECT_EQ(with([](auto& o) { o.cont_names = Names{"size", "y"}; }).message(),
            "a column is named twice among classes, numbers and targets");
  EXPECT_EQ(with([](auto& o) { o.procs = {Categorify(), Normalize()}; }).message(), "a column of numbers has missing ones");
  EXPECT_EQ(with([](auto& o) { o.procs = {FillMissing()}; }).hint(), "put Categorify() into procs");
  EXPECT_THAT(with([](auto& o) { o.cont_names = Names{"colour", "size"}; o.cat_names.clear(); }).message(),
              HasSubstr("a number is expected"));
  EXPECT_EQ(with([](auto& o) { o.y_names = {"size"}; o.cont_names = Names{"count"}; }).message(), "the target is missing");
}

TEST(TabularData, ATargetsClassThatNoTrainingRowHasIsAnError) {
  const Table t({{"a", std::vector<double>{1, 2, 3}}, {"y", std::vector<std::string>{"p", "q", "r"}}});
  const Error e = error_in([&] { TabularData(t, {.cont_names = {"a"}, .y_names = {"y"}, .splits = Splits{{0, 1}, {2}}}); });
  EXPECT_EQ(e.message(), "the target has a class that no training row has");
  EXPECT_EQ(e.fact("class"), "r");
}

TEST(TabularData, AnAllMissingColumnIsAnError) {
  const Table t({{"a", Table::Numbers{std::nullopt, std::nullopt}}});
  const Error e = error_in([&] { TabularData(t, {.procs = {FillMissing()}, .cont_names = {"a"}}); });
  EXPECT_EQ(e.message(), "a column of numbers has no value in any training row");
}

TEST(TabularLearner, ATargetOfOneClassIsAnError) {
  const Table t({{"a", std::vector<double>{1, 2, 3, 4}}, {"y", std::vector<std::string>{"p", "p", "p", "p"}}});
  const Error e = error_in([&] {
    tabular_learner(TabularDataLoaders::from_df(t, {.y_names = {"y"}, .valid_idx = std::vector<std::int64_t>{0}, .bs = 2}),
                    {.listener = silent_listener()});
  });
  EXPECT_EQ(e.message(), "the target has only one value, so there is nothing to tell apart");
}

TEST(TabularDataLoaders, APermutationShowsEachRowOnceAndDrawsDoNot) {
  TabularDataLoadersOptions o = made_up_options();
  const auto rows_seen = [](const DataLoaders& dls) {
    std::set<std::int64_t> seen;
    std::int64_t n = 0;
    for (const Batch& batch : dls.train()) {
      seen.insert(batch.items.begin(), batch.items.end());
      n += batch.size();
    }
    return std::pair(n, static_cast<std::int64_t>(seen.size()));
  };
  const auto [n, different] = rows_seen(TabularDataLoaders::from_df(made_up(2000), o));
  EXPECT_EQ(n, 1600);
  EXPECT_EQ(different, n);
  o.replacement = true;
  const auto [drawn, drawn_different] = rows_seen(TabularDataLoaders::from_df(made_up(2000), o));
  EXPECT_EQ(drawn, 1600);
  EXPECT_NEAR(static_cast<double>(drawn_different), 0.632 * 1600, 60);
}

TEST(TabularDataLoaders, BatchesAreShownAsATable) {
  const auto dls = TabularDataLoaders::from_df(made_up(100), made_up_options());
  const std::string table = dls.batch_table({.max_n = 3});
  EXPECT_THAT(table, HasSubstr("colour"));
  EXPECT_THAT(table, HasSubstr("size_na"));
  EXPECT_THAT(table, HasSubstr("blue"));
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 4);
}

TEST(TabularSplits, LaterTimesValidate) {
  const Table t({{"when", std::vector<std::string>{"2011-01-03", "2011-01-01", "2011-01-02", "2011-01-03", "2010-12-31"}}});
  const Splits s = time_ordered_split(t, "when", 0.4);
  EXPECT_THAT(s.valid, ElementsAre(0, 3));
  EXPECT_THAT(s.train, ElementsAre(1, 2, 4));
  EXPECT_TRUE(time_ordered_split(t, "when", 0.2).valid.empty());  // rows of one day stay together
}

TEST(TabularLearner, LearnsAndItsExportSaysTheSame) {
  torch::manual_seed(1);
  auto dls = TabularDataLoaders::from_df(made_up(600), made_up_options());
  auto learn = tabular_learner(dls, {.layers = {20, 10}, .metrics = {accuracy}, .listener = silent_listener()});
  learn.fit_one_cycle(4, 1e-2);
  EXPECT_GT(learn.recorder().values().back().back(), 0.95);
  EXPECT_THAT(results_table(learn, {.max_n = 4}), HasSubstr("y_pred"));

  const testing::TemporaryFolder folder;
  const fs::path file = folder / "table.safetensors";
  learn.export_to(file);
  const Table fresh({{"count", std::vector<std::int64_t>{3, 4}},
                     {"size", Table::Numbers{1.2, std::nullopt}},
                     {"colour", std::vector<std::string>{"red", "never seen"}}});
  const Predictor predictor(file);
  const auto want = learn.get_preds({.dl = test_dl(learn.dls, fresh)}).preds;
  EXPECT_LT((predictor.outputs(rows_of(fresh)) - want).abs().max().item<double>(), 1e-5);
  const Prediction first = predictor.predict(Row{std::make_shared<const Table>(fresh), 0});
  EXPECT_EQ(first.label, "yes");
  const std::string json = R"({"colour": "red", "size": 1.2, "count": 3})";
  const Prediction same = predictor.predict(Bytes(json.begin(), json.end()));
  EXPECT_LT((same.probs - first.probs).abs().max().item<double>(), 1e-6);

  auto loaded = load_learner(file);
  EXPECT_EQ(loaded.predict(Row{std::make_shared<const Table>(fresh), 0}).label, "yes");
  const ExportedModel exported = read_exported(file);
  ASSERT_EQ(exported.verify_items.size(), 2u);
  EXPECT_LT((predictor.predict(exported.verify_items[0].encoded).probs - exported.verify_items[0].output).abs().max().item<double>(),
            1e-6);
}

TEST(TabularLearner, ARenamedColumnIsNamedWithTheNearest) {
  const TabularData data(made_up(50), {.procs = {Categorify(), FillMissing(), Normalize()},
                                       .cat_names = {"colour"},
                                       .cont_names = {"size", "count"}});
  const Table renamed({{"color", std::vector<std::string>{"red"}},
                       {"size", std::vector<double>{1}},
                       {"count", std::vector<std::int64_t>{1}}});
  const Error e = error_in([&] { data.encoder().encode(renamed, false); });
  EXPECT_THAT(e.what(), HasSubstr("the table has no column 'colour'"));
  EXPECT_THAT(e.hint(), HasSubstr("color"));
}

TEST(TabularLearner, SeveralNumbersAreOneTarget) {
  Table t = made_up(200);
  std::vector<double> a, b;
  for (int i = 0; i < 200; ++i) {
    a.push_back(i % 7);
    b.push_back(-i % 5);
  }
  t = t.with_column("a", a).with_column("b", b);
  auto dls = TabularDataLoaders::from_df(t, {.procs = {Categorify(), FillMissing(), Normalize()},
                                             .cat_names = {"colour", "y"},
                                             .cont_names = Names{"size", "count"},
                                             .y_names = {"a", "b"},
                                             .seed = 1,
                                             .bs = 32});
  EXPECT_EQ(dls.c(), 2);
  auto learn = tabular_learner(dls, {.layers = {10}, .y_range = {{-6, 8}}, .listener = silent_listener()});
  learn.fit(1);
  const auto preds = learn.get_preds().preds;
  EXPECT_EQ(preds.size(1), 2);
  EXPECT_GT(preds.min().item<double>(), -6);
  EXPECT_LT(preds.max().item<double>(), 8);
}

TEST(TabularLearner, ClassWeightsMakeClassesCountAlike) {
  const Table t({{"a", std::vector<double>{1, 2, 3, 4}}, {"y", std::vector<std::string>{"p", "p", "p", "q"}}});
  const auto dls = TabularDataLoaders::from_df(t, {.y_names = {"y"}, .valid_idx = std::vector<std::int64_t>{}, .bs = 2});
  EXPECT_THAT(class_weights(dls), ElementsAre(4.0 / 6, 2));
}

}  // namespace kindling
