// Files of tables, ratings and rankings of every format version, which must load for ever and say what they said when they were
// written.
//
// A new version's files are made once, with the program of that version:
//   KINDLING_WRITE_COMPAT=tests/compat build/release/bin/collab_tests --gtest_filter='Compat.*'
#include <kindling/collab.hpp>
#include <kindling/collab/top_n.hpp>
#include <kindling/serve.hpp>

#include "collab/ratings_fixture.hpp"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

namespace kindling {

namespace {

const fs::path compat = fs::path(KINDLING_SOURCE_DIR) / "tests/compat";

TabularDataLoadersOptions people(TabularProcs procs) {
  return {.procs = std::move(procs),
          .cat_names = {"job"},
          .cont_names = {{"age", "hours"}},
          .y_names = {"rich"},
          .seed = 1,
          .bs = 16};
}

Table some_people() {
  std::vector<std::string> jobs, rich;
  std::vector<std::int64_t> ages;
  Table::Numbers hours;
  for (int i = 0; i < 80; ++i) {
    jobs.push_back(i % 3 ? "clerk" : "nurse");
    ages.push_back(20 + i % 40);
    hours.push_back(i % 7 ? std::optional<double>(30.5 + i % 20) : std::nullopt);
    rich.push_back((i % 40) + (i % 3) * 5 > 22 ? "yes" : "no");
  }
  return Table({{"job", jobs}, {"age", ages}, {"hours", hours}, {"rich", rich}});
}

void write_files(const fs::path& folder) {
  torch::manual_seed(1);
  Learner table = tabular_learner(TabularDataLoaders::from_df(some_people(), people({Categorify(), FillMissing(), Normalize()})),
                                  {.layers = {8, 4}, .listener = silent_listener()});
  table.fit(2, 1e-2);
  table.export_to(folder / "table_v1.safetensors");
  Learner tabm = tabm_learner(TabularDataLoaders::from_df(some_people(), people(tabm_procs())),
                              {.config = {.k = 4, .width = 8, .bins = 6, .d_num = 3}, .listener = silent_listener()});
  fit_tabm(tabm, 2);
  tabm.export_to(folder / "tabm_v1.safetensors");
  testing::taste_learner().export_to(folder / "ratings_v1.safetensors");
  top_n_learner(Interactions::from_df(testing::two_tastes())).save(folder / "ease_v1.safetensors");
  top_n_learner(Interactions::from_df(testing::two_tastes()), {.method = "ials"}).save(folder / "ials_v1.safetensors");
}

}  // namespace

TEST(Compat, FilesOfTablesAndRatingsAnswerAsWhenTheyWereWritten) {
  if (const char* folder = std::getenv("KINDLING_WRITE_COMPAT")) write_files(folder);
  int files = 0;
  for (const fs::path& file : get_files(compat, {".safetensors"})) {
    const std::string name = file.filename().string();
    if (!name.starts_with("table_") && !name.starts_with("tabm_") && !name.starts_with("ratings_")) continue;
    ++files;
    const Predictor predictor(file);
    const ExportedModel model = read_exported(file);
    ASSERT_FALSE(model.verify_items.empty()) << file;
    for (const auto& item : model.verify_items)
      EXPECT_LT((predictor.predict(item.encoded).probs - item.output).abs().max().item<double>(), 1e-5) << file;
  }
  EXPECT_GE(files, 3);
}

TEST(Compat, ARatingModelStillRecommends) {
  const Recommender films(compat / "ratings_v1.safetensors");
  const auto best = films.recommend("6", {.n = 3});
  ASSERT_EQ(best.size(), 3u);
  EXPECT_TRUE(best.front().item.starts_with("even")) << best.front().item;
}

TEST(Compat, RankingsStillRecommend) {
  for (const char* name : {"ease_v1.safetensors", "ials_v1.safetensors"}) {
    const TopN top = TopN::load(compat / name);
    const auto best = top.recommend("6", 3);
    ASSERT_EQ(best.size(), 3u) << name;
    EXPECT_TRUE(best.front().item.starts_with("even")) << name << best.front().item;
  }
}

}  // namespace kindling
