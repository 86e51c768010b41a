#include <kindling/collab/ranking.hpp>
#include <kindling/collab/top_n.hpp>

#include "core/temporary_folder.hpp"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {
namespace {

/// MovieLens' 100,836 ratings of 9,724 films by 610 people, unpacked for the length of one test.
class RatedFilms : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* shared = std::getenv("KINDLING_SHARED_DATA");
    const fs::path data = shared != nullptr ? shared : KINDLING_SOURCE_DIR "/../shared/data";
    const fs::path archive = data / "ml-latest-small/ml-latest-small.tgz";
    if (!fs::exists(archive)) GTEST_SKIP() << "needs the shared data set ml-latest-small";
    const std::string command = "tar xzf '" + archive.string() + "' -C '" + folder_.path().string() + "'";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  Table table(const std::string& name) const { return read_table(folder_ / "ml-latest-small" / name); }

  testing::TemporaryFolder folder_;
};

TEST_F(RatedFilms, AreRankedFarBetterThanByPopularity) {
  const Interactions all = Interactions::from_df(table("ratings.csv"));
  EXPECT_EQ(all.summary(), "610 users, 9724 items, 100836 pairs (1.70 % of all)");
  const auto [train, test] = hold_out(all);
  const TopN by_factors = top_n_learner(train, {.method = "ials", .factors = 64, .iterations = 6});
  const auto results = compare_rankings({top_n_learner(train).ranker(), by_factors.ranker()}, train, test);
  RecordProperty("table", to_string(results));
  const double ease = results[0].at_k(10).ndcg, ials = results[1].at_k(10).ndcg, popular = results[2].at_k(10).ndcg;
  EXPECT_GT(ease, 0.35) << to_string(results);
  EXPECT_GT(ials, 0.33) << to_string(results);
  EXPECT_GT(ease, popular + 0.15) << to_string(results);
  EXPECT_LT(results[3].at_k(10).ndcg, popular) << to_string(results);
}

TEST_F(RatedFilms, AreLikeTheirSequels) {
  const TopN top = top_n_learner(Interactions::from_df(table("ratings.csv")));
  // Star Wars IV, V and VI; The Lord of the Rings I, II and III.
  const auto items = [](const std::vector<ScoredItem>& recommended) {
    std::vector<std::string> names;
    for (const ScoredItem& r : recommended) names.push_back(r.item);
    return names;
  };
  EXPECT_THAT(items(top.similar("260", 2)), ::testing::UnorderedElementsAre("1196", "1210"));
  EXPECT_THAT(items(top.similar("4993", 2)), ::testing::UnorderedElementsAre("5952", "7153"));
  EXPECT_THAT(items(top.recommend_from({"4993", "5952"}, 1)), ::testing::ElementsAre("7153"));
}

}  // namespace
}  // namespace kindling
