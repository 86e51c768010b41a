#include <kindling/collab/ranking.hpp>
#include <kindling/collab/top_n.hpp>
#include <kindling/core/error.hpp>

#include "collab/ranking_golden.hpp"

#include <limits>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::error_in;
using testing::golden_ranking;
using testing::matrix_from;

namespace {

using Whole = std::vector<std::int64_t>;

Table films() {
  return Table({{"who", std::vector<std::string>{"eve", "bob", "eve", "bob", "eve", "cat"}},
                {"film", std::vector<std::int64_t>{30, 7, 7, 7, 100, 30}},
                {"stars", std::vector<double>{4, 1, 2.5, 5, 3, 2}}});
}

void expect_metrics(const RankingResult& got, const Json& want, const std::string& what) {
  EXPECT_EQ(got.n_users, want.at("n_users").get<std::int64_t>()) << what;
  for (const auto& [k, figures] : want.at("at").items()) {
    const RankingFigures& f = got.at_k(std::stoi(k));
    EXPECT_NEAR(f.precision, figures.at("precision").get<double>(), 1e-8) << what << " at " << k;
    EXPECT_NEAR(f.recall, figures.at("recall").get<double>(), 1e-8) << what << " at " << k;
    EXPECT_NEAR(f.ndcg, figures.at("ndcg").get<double>(), 1e-8) << what << " at " << k;
    EXPECT_NEAR(f.map, figures.at("map").get<double>(), 1e-8) << what << " at " << k;
  }
}

Ranker fixed(const torch::Tensor& scores) {
  return {"fixed", [scores](const std::vector<std::int64_t>& users) {
            return scores.index_select(0, torch::tensor(at::ArrayRef<std::int64_t>(users)));
          }};
}

const RankingOptions all_ks{.ks = {1, 3, 5, 10}};

}  // namespace

TEST(Interactions, AreNumberedByNameAndTheLastOfTwoRowsCounts) {
  const Interactions all = Interactions::from_df(films());
  EXPECT_THAT(all.users().items(), ElementsAre("bob", "cat", "eve"));
  EXPECT_THAT(all.items().items(), ElementsAre("7", "30", "100"));
  EXPECT_THAT(all.rows().indptr, ElementsAre(0, 1, 2, 5));
  EXPECT_THAT(all.rows().indices, ElementsAre(0, 1, 0, 1, 2));
  EXPECT_THAT(all.rows().values, ElementsAre(5, 2, 2.5, 4, 3));
  EXPECT_EQ(all.duplicates(), 1);
  EXPECT_EQ(all.summary(), "3 users, 3 items, 5 pairs (55.56 % of all); 1 rows came again later and do not count");
  const CompressedRows by_item = all.rows().transposed();
  EXPECT_THAT(by_item.indptr, ElementsAre(0, 2, 4, 5));
  EXPECT_THAT(by_item.indices, ElementsAre(0, 2, 1, 2, 2));
  EXPECT_THAT(by_item.values, ElementsAre(5, 2.5, 2, 4, 3));
}

TEST(Interactions, MayBeImplicitOrOfGoodRatingsAlone) {
  const Interactions liked = Interactions::from_df(films(), {.min_rating = 3, .binary = true});
  EXPECT_EQ(liked.n_users(), 3);
  EXPECT_THAT(liked.rows().indptr, ElementsAre(0, 1, 1, 3));
  EXPECT_THAT(liked.rows().values, ElementsAre(1, 1, 1));
  const Interactions seen = Interactions::from_df(films().select({"who", "film"}), {.binary = true});
  EXPECT_THAT(seen.rows().values, ElementsAre(1, 1, 1, 1, 1));
  const Interactions swapped =
      Interactions::from_df(films(), {.user_name = "film", .item_name = "who", .rating_name = "stars"});
  EXPECT_EQ(swapped.rows().indices, Interactions::from_df(films()).rows().transposed().indices);
}

TEST(Interactions, NameTheRowThatIsWrong) {
  const Table no_film({{"u", std::vector<std::int64_t>{1, 2}},
                       {"i", Table::Texts{std::string("x"), std::nullopt}},
                       {"r", std::vector<double>{1, 2}}});
  const Error missing = error_in([&] { Interactions::from_df(no_film); });
  EXPECT_EQ(missing.code(), ErrorCode::bad_data);
  EXPECT_STREQ(missing.what(), "a cell is missing (row: row 1, column: i). correct the cell, or take the row out");
  const Whole one{1}, two{1, 2};
  const Table no_rating({{"u", two}, {"i", two}, {"r", Table::Numbers{1, std::nullopt}}});
  const auto text = [](const Table& table) { return std::string(error_in([&] { Interactions::from_df(table); }).what()); };
  EXPECT_THAT(text(no_rating), HasSubstr("a rating is missing (row: row 1, column: r)"));
  EXPECT_NO_THROW(Interactions::from_df(no_rating, {.binary = true}));
  const Table huge({{"u", one}, {"i", one}, {"r", std::vector<double>{1e300}}});
  EXPECT_THAT(text(huge), HasSubstr("a rating is too large (row: row 0, column: r)"));
  EXPECT_THAT(text(films().select({"who", "film"})), HasSubstr(".binary = true"));
  EXPECT_THAT(error_in([&] { Interactions::from_df(films(), {.user_name = "whom"}); }).hint(),
              HasSubstr("did you mean 'who'?"));
  EXPECT_THAT(text(films().take({})), HasSubstr("the table has no rows"));
  EXPECT_EQ(error_in([&] { Interactions::from_df(films(), Splits{{0}, {6}}); }).fact("row"), "6");
}

TEST(Interactions, RefuseRowsThatDoNotFit) {
  const Interactions all = Interactions::from_df(films());
  const auto message = [&](auto damage) {
    CompressedRows rows = all.rows();
    damage(rows);
    return error_in([&] { Interactions(all.users(), all.items(), rows); }).message();
  };
  const std::string lengths = "compressed rows have other lengths than they say";
  const std::string order = "columns of compressed rows are out of order or range";
  EXPECT_EQ(message([](CompressedRows& r) { r.indptr.clear(); }), lengths);
  EXPECT_EQ(message([](CompressedRows& r) { r.indptr.back() = 1000; }), lengths);
  EXPECT_EQ(message([](CompressedRows& r) { r.values.pop_back(); }), lengths);
  EXPECT_EQ(message([](CompressedRows& r) { r.indptr[1] = 1000; }), "compressed rows run backwards");
  EXPECT_EQ(message([](CompressedRows& r) { r.indices[0] = -1; }), order);
  EXPECT_EQ(message([](CompressedRows& r) { r.indices[4] = 3; }), order);
  EXPECT_EQ(message([](CompressedRows& r) { r.indices[3] = 0; }), order);
  EXPECT_EQ(message([](CompressedRows& r) { r.values[0] = std::numeric_limits<float>::quiet_NaN(); }),
            "values of compressed rows are not all finite");
  EXPECT_EQ(message([](CompressedRows& r) { r.indptr.insert(r.indptr.begin(), 0); }),
            "compressed rows do not fit the names");
}

TEST(HoldOut, TakesAPartOfEachUser) {
  std::vector<std::int64_t> users, items;
  for (int u = 0; u < 5; ++u) {
    for (int i = 0; i < 4 * u; ++i) {
      users.push_back(u);
      items.push_back((7 * i + u) % 31);
    }
  }
  const Interactions all = Interactions::from_df(Table({{"u", users}, {"i", items}}), {.binary = true});
  const auto [train, test] = hold_out(all, {.fraction = 0.3, .seed = 1});
  for (std::int64_t u = 0; u < all.n_users(); ++u) {
    const auto whole = all.rows().columns(u), left = train.rows().columns(u), out = test.rows().columns(u);
    EXPECT_EQ(out.size(), static_cast<std::size_t>(0.3 * static_cast<double>(whole.size())));
    std::set<std::int32_t> both(left.begin(), left.end());
    both.insert(out.begin(), out.end());
    EXPECT_EQ(both, std::set<std::int32_t>(whole.begin(), whole.end()));
    EXPECT_EQ(left.size() + out.size(), whole.size());
  }
  EXPECT_EQ(hold_out(all, {.fraction = 0.3, .seed = 1}).test.rows().indices, test.rows().indices);
  EXPECT_NE(hold_out(all, {.fraction = 0.3, .seed = 2}).test.rows().indices, test.rows().indices);
  // Users of 4, 8, 12 and 16: the first has too few to keep 4 back.
  EXPECT_THAT(hold_out(all, {.leave_out = 4}).test.rows().indptr, ElementsAre(0, 0, 4, 8, 12));
  EXPECT_EQ(error_in([&] { hold_out(all, {.fraction = 1}); }).code(), ErrorCode::usage);
}

TEST(TopItems, AreBestFirstWithoutTheKnown) {
  const auto scores = torch::tensor({1.0f, 5.0f, 3.0f, 5.0f, 3.0f, 9.0f});
  const std::vector<std::int32_t> known{0, 5};
  EXPECT_THAT(top_items(scores, known, 3), ElementsAre(1, 3, 2));
  EXPECT_THAT(top_items(scores, known, 10), ElementsAre(1, 3, 2, 4));
  EXPECT_THAT(top_items(scores, {}, 1), ElementsAre(5));
  EXPECT_EQ(error_in([&] { top_items(scores, {}, 0); }).code(), ErrorCode::usage);
  scores[2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(error_in([&] { top_items(scores, {}, 3); }).fact("item"), "2");
}

TEST(RankingMetrics, OfOneUserByHand) {
  // Found at places 2 and 4, of three.
  const auto hits = torch::tensor({0, 1, 0, 1, 0}).reshape({1, 5}).to(torch::kBool);
  const auto relevant = torch::tensor({3}, torch::kInt64);
  EXPECT_DOUBLE_EQ(precision_at_k(hits, 4).item<double>(), 0.5);
  EXPECT_DOUBLE_EQ(recall_at_k(hits, relevant, 4).item<double>(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(average_precision_at_k(hits, relevant, 4).item<double>(), (0.5 + 0.5) / 3);
  EXPECT_DOUBLE_EQ(average_precision_at_k(hits, relevant, 2).item<double>(), 0.5 / 2);
  const double third = 1 / std::log2(3), best = 1 + third + 0.5;
  EXPECT_DOUBLE_EQ(ndcg_at_k(hits, relevant, 4).item<double>(), (third + 1 / std::log2(5)) / best);
  // Asked for more places than were ranked.
  EXPECT_DOUBLE_EQ(precision_at_k(hits, 10).item<double>(), 0.2);
  EXPECT_DOUBLE_EQ(ndcg_at_k(hits, relevant, 10).item<double>(), (third + 1 / std::log2(5)) / best);
  EXPECT_EQ(error_in([&] { precision_at_k(hits, 0); }).code(), ErrorCode::usage);
}

TEST(EvaluateRanking, EqualsPlainNumpyAndScikitLearn) {
  for (const char* name : {"tall", "wide"}) {
    const Json& want = golden_ranking().at(name);
    const auto [train, test] = testing::golden_split(want);
    const Ranker ranker = fixed(matrix_from(want.at("scores")));
    expect_metrics(evaluate_ranking(ranker, train, test, all_ks), want.at("metrics"), name);
    RankingOptions liked = all_ks;
    liked.min_rating = 3;
    expect_metrics(evaluate_ranking(ranker, train, test, liked), want.at("liked"), name);
    expect_metrics(evaluate_ranking(popularity(train), train, test, all_ks), want.at("popularity"), name);
    expect_metrics(evaluate_ranking(bias_only(train), train, test, all_ks), want.at("bias_only"), name);
  }
}

TEST(Biases, EqualPlainNumpy) {
  for (const char* name : {"tall", "wide"}) {
    const Json& want = golden_ranking().at(name).at("biases");
    const Biases got = biases(testing::golden_split(golden_ranking().at(name)).train);
    EXPECT_NEAR(got.mean, want.at("mean").get<double>(), 1e-8);
    EXPECT_TRUE(torch::allclose(got.users, torch::tensor(want.at("users").get<std::vector<float>>()), 1e-5, 1e-6));
    EXPECT_TRUE(torch::allclose(got.items, torch::tensor(want.at("items").get<std::vector<float>>()), 1e-5, 1e-6));
  }
}

TEST(EvaluateRanking, SaysWhatIsWrong) {
  const auto [train, test] = testing::golden_split(golden_ranking().at("tall"));
  const Error shape = error_in([&] { evaluate_ranking(fixed(torch::zeros({24, 3})), train, test); });
  EXPECT_THAT(shape.what(), HasSubstr("a ranker gives a score for each user and item (ranker: fixed, expected: "));
  EXPECT_THAT(shape.fact("got"), HasSubstr(" x 3"));
  const Error nan = error_in([&] { evaluate_ranking(fixed(torch::full({24, 12}, NAN)), train, test); });
  EXPECT_THAT(nan.what(), HasSubstr("a score is not a number"));
  EXPECT_EQ(nan.fact("ranker"), "fixed");
  const auto other = testing::golden_split(golden_ranking().at("wide"));
  EXPECT_THAT(error_in([&] { evaluate_ranking(popularity(train), train, other.test); }).hint(), HasSubstr("hold_out"));
  EXPECT_EQ(error_in([&] { evaluate_ranking(popularity(train), train, test, {.min_rating = 6}); }).code(),
            ErrorCode::bad_data);
  EXPECT_EQ(error_in([&] { evaluate_ranking(popularity(train), train, test).at_k(3); }).fact("k"), "3");
}

TEST(CompareRankings, PutsWhatNeedsNoLearningBeside) {
  const Json& want = golden_ranking().at("wide");
  const auto [train, test] = testing::golden_split(want);
  const auto results = compare_rankings({fixed(matrix_from(want.at("scores")))}, train, test, {.ks = {5, 10}});
  ASSERT_EQ(results.size(), 3u);
  const auto cell = [&](const char* ranking, const char* k, const char* figure) {
    return fmt::format("{:.4f}", want.at(ranking).at("at").at(k).at(figure).get<double>());
  };
  std::string expected =
      "            precision@5  recall@5  NDCG@5  MAP@5  precision@10  recall@10  NDCG@10  MAP@10";
  const std::pair<const char*, const char*> rows[] = {
      {"fixed     ", "metrics"}, {"popularity", "popularity"}, {"bias only ", "bias_only"}};
  for (const auto& [name, ranking] : rows) {
    expected += fmt::format("\n{}       {}    {}  {}  {}", name, cell(ranking, "5", "precision"),
                            cell(ranking, "5", "recall"), cell(ranking, "5", "ndcg"), cell(ranking, "5", "map"));
    expected += fmt::format("        {}     {}   {}  {}", cell(ranking, "10", "precision"), cell(ranking, "10", "recall"),
                            cell(ranking, "10", "ndcg"), cell(ranking, "10", "map"));
  }
  EXPECT_EQ(to_string(results), expected);
  const Interactions all = Interactions::from_df(films(), {.binary = true});
  const auto ones = hold_out(all, {.leave_out = 1});
  EXPECT_EQ(compare_rankings({}, ones.train, ones.test).size(), 1u) << "biases of ones say nothing";
}

}  // namespace kindling
