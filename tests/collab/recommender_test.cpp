#include <kindling/nn/weights.hpp>
#include <kindling/serve/predictor.hpp>
#include <kindling/train/export.hpp>

#include "core/temporary_folder.hpp"
#include "ratings_fixture.hpp"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using ::testing::HasSubstr;
using testing::error_in;
using testing::TemporaryFolder;
using testing::taste_learner;
using testing::two_taste_loaders;
using testing::two_tastes;

namespace {

/// Training takes a second; tests that change nothing share one.
Learner& trained() {
  static Learner learn = taste_learner();
  return learn;
}

std::set<std::string> rated_by(std::int64_t user) {
  const Table table = two_tastes();
  std::set<std::string> films;
  for (std::int64_t row = 0; row < table.n_rows(); ++row) {
    if (table.number(row, "user") == static_cast<double>(user)) films.insert(table.text(row, "film"));
  }
  return films;
}

bool same_items(const std::vector<ScoredItem>& a, const std::vector<ScoredItem>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const ScoredItem& x, const ScoredItem& y) { return x.item == y.item && x.score == y.score; });
}

}  // namespace

TEST(CollabLearner, LearnsTheTastes) {
  EXPECT_LT(trained().validate().front(), 0.2);  // the ratings' variance is 1.7
}

TEST(CollabLearner, RefusesRatingsOutsideOfTheRange) {
  const Error e = error_in([] { collab_learner(two_taste_loaders(), {.y_range = {{1.5, 4.5}}}); });
  EXPECT_EQ(e.code(), ErrorCode::bad_data);
  EXPECT_EQ(e.fact("highest"), "5");
  EXPECT_EQ(e.fact("column"), "rating");
  EXPECT_GT(std::stoi(e.fact("ratings")), 0);
}

TEST(CollabLearner, SaysTheSameAgainAfterExport) {
  const TemporaryFolder folder;
  trained().export_to(folder / "films.safetensors");
  const Predictor predictor(folder / "films.safetensors");
  const std::string row = R"({"user": 3, "film": "odd 5"})";
  const Bytes bytes(row.begin(), row.end());
  const auto said = trained().predict(bytes);
  EXPECT_NEAR(predictor.predict(bytes).probs.item<float>(), said.probs.item<float>(), 1e-6);
  const Recommender films(trained()), exported(folder / "films.safetensors");
  EXPECT_NEAR(films.ratings("3")[films.code("odd 5")].item<float>(), said.probs.item<float>(), 1e-5);
  EXPECT_TRUE(same_items(exported.recommend("3"), films.recommend("3")));
  EXPECT_EQ(read_exported(folder / "films.safetensors").verify_items.size(), 2u);
}

TEST(CollabLearner, UnknownUserIsTheOneOfCodeZero) {
  const std::string row = R"({"user": 12345, "film": "no such film"})";
  const auto said = trained().predict(Bytes(row.begin(), row.end()));
  const auto zeros = torch::zeros({1, 2}, torch::kInt64);
  torch::NoGradGuard no_grad;
  EXPECT_EQ(said.probs.item<float>(), trained().model.forward({zeros, torch::empty({1, 0})}).item<float>());
}

TEST(CollabLearner, ResultsAreShownByNames) {
  const std::string table = results_table(trained(), {.max_n = 4});
  EXPECT_THAT(table, HasSubstr("rating_pred"));
  EXPECT_THAT(table, HasSubstr("film"));
}

TEST(CollabLearner, RefusesCodesThatItHasNot) {
  const auto codes = torch::full({1, 2}, 1000, torch::kInt64);
  EXPECT_THAT(error_in([&] { trained().model.forward({codes, torch::empty({1, 0})}); }).what(), HasSubstr("code"));
}

TEST(Recommender, LeavesOutWhatWasRatedAndKnowsTheTaste) {
  const Recommender films(trained());
  for (const std::int64_t user : {3, 8}) {
    const auto rated = rated_by(user);
    const auto all = films.recommend(std::to_string(user), {.n = 100});
    EXPECT_EQ(all.size() + rated.size(), 30u);
    for (const auto& [item, score] : all) EXPECT_FALSE(rated.contains(item)) << item;
    EXPECT_TRUE(std::is_sorted(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.score > b.score; }));
    EXPECT_TRUE(all[0].item.starts_with(user % 2 ? "odd" : "even")) << all[0].item;
    EXPECT_TRUE(all[1].item.starts_with(user % 2 ? "odd" : "even")) << all[1].item;
  }
  EXPECT_EQ(films.recommend("3", {.n = 100, .with_rated = true}).size(), 30u);
  EXPECT_EQ(films.recommend("3", {.n = 100, .with_rated = true, .without = {"odd 5"}}).size(), 29u);
}

TEST(Recommender, SimilarItemsPleaseTheSame) {
  const auto near = Recommender(trained()).similar("even 12", {.n = 5});
  ASSERT_EQ(near.size(), 5u);
  for (const auto& [item, cosine] : near) {
    EXPECT_TRUE(item.starts_with("even")) << item;
    EXPECT_NE(item, "even 12");
    EXPECT_LE(cosine, 1.0001);
  }
  const Recommender films(trained());
  EXPECT_EQ(films.similar("even 12", {.n = 100}).size(), 29u);
  EXPECT_LT(films.similar("even 12", {.n = 100, .min_ratings = 27}).size(), 29u);
  EXPECT_TRUE(films.similar("even 12", {.min_ratings = 41}).empty());
}

TEST(Recommender, NamesAreChecked) {
  const Recommender films(trained());
  EXPECT_THAT(error_in([&] { films.recommend("4711"); }).what(), HasSubstr("fold_in"));
  EXPECT_THAT(error_in([&] { films.similar("evn 12"); }).what(), HasSubstr("did you mean 'even"));
  EXPECT_THAT(error_in([&] { films.bias({"#na#"}); }).what(), HasSubstr("no such item"));
  EXPECT_EQ(films.users().front(), "#na#");
  EXPECT_EQ(films.items().size(), 31u);
}

TEST(Recommender, BiasAndWeightAreThoseOfTheModel) {
  const Recommender films(trained());
  const auto& model = dynamic_cast<EmbeddingDotBias&>(trained().model.module());
  const std::int64_t item = films.code("odd 7"), user = films.code("9", false);
  EXPECT_EQ(films.bias({"even 0", "odd 7"})[1].item<float>(), model.i_bias->weight[item][0].item<float>());
  EXPECT_EQ(films.bias({"9"}, false)[0].item<float>(), model.u_bias->weight[user][0].item<float>());
  EXPECT_TRUE(torch::equal(films.weight({"odd 7"})[0], model.i_weight->weight[item]));
  EXPECT_TRUE(torch::equal(films.weight({"9"}, false)[0], model.u_weight->weight[user]));
}

TEST(Recommender, BiasesAreOrdered) {
  const Recommender films(trained());
  const auto best = films.best_biases(30), worst = films.worst_biases(1);
  EXPECT_EQ(best.size(), 30u);
  EXPECT_EQ(best.back().item, worst.front().item);
  EXPECT_EQ(best.back().score, worst.front().score);
  EXPECT_GT(best.front().score, worst.front().score);
  EXPECT_THAT(films.bias_table(2), HasSubstr(best.front().item));
}

TEST(Recommender, FoldedUserIsTheTrainedOneWhenAllRatingsAreKnown) {
  const Recommender films(trained());
  const auto ratings = films.ratings("4");
  std::vector<std::pair<std::string, double>> given;
  for (std::size_t code = 1; code < films.items().size(); ++code)
    given.emplace_back(films.items()[code], ratings[static_cast<std::int64_t>(code)].item<double>());
  const FoldedUser user = films.fold_in(given, {.penalty = 1e-9});
  EXPECT_TRUE(torch::allclose(films.ratings(user).slice(0, 1), ratings.slice(0, 1), 1e-3, 1e-3));
  EXPECT_TRUE(films.recommend(user).empty()) << "all was rated";
}

TEST(Recommender, FewRatingsTellTheTaste) {
  const Recommender films(trained());
  const FoldedUser user = films.fold_in({{"odd 3", 4.5}, {"even 4", 1.5}, {"odd 21", 5}, {"even 22", 2}});
  const auto best = films.recommend(user, {.n = 5});
  for (const auto& [item, score] : best) EXPECT_TRUE(item.starts_with("odd")) << item;
  EXPECT_EQ(films.recommend(user, {.n = 100}).size(), 26u);
  EXPECT_EQ(error_in([&] { films.fold_in({{"odd 3", 7}}); }).fact("rating"), "7");
  EXPECT_EQ(error_in([&] { films.fold_in({{"odd 99", 4}}); }).code(), ErrorCode::not_found);
}

TEST(Recommender, WithoutRatingsAFoldedUserIsTheMeanOne) {
  const Recommender films(trained());
  const auto& model = dynamic_cast<EmbeddingDotBias&>(trained().model.module());
  const FoldedUser user = films.fold_in({});
  EXPECT_TRUE(torch::allclose(user.weight, model.u_weight->weight.slice(0, 1).mean(0), 1e-5, 1e-6));
  EXPECT_NEAR(user.bias, model.u_bias->weight.slice(0, 1).mean().item<double>(), 1e-6);
}

TEST(Recommender, IsASnapshotAndLeavesTheStreamOfDrawsAlone) {
  Learner learn = taste_learner();
  torch::manual_seed(5);
  const auto want = torch::rand({3});
  torch::manual_seed(5);
  const Recommender films(learn);
  EXPECT_TRUE(torch::equal(torch::rand({3}), want));
  const auto before = films.ratings("3").clone();
  learn.fit(1, 1e-1);
  EXPECT_TRUE(torch::equal(films.ratings("3"), before));
  EXPECT_FALSE(torch::allclose(Recommender(learn).ratings("3"), before));
}

TEST(Recommender, MapShowsTheMostRatedItems) {
  const Recommender films(trained());
  const Json spec = films.map({.shown = 7}).spec();
  EXPECT_EQ(spec.at("data").at("values").size(), 7u);
  const auto first = films.most_rated(1).front();
  EXPECT_EQ(spec.at("data").at("values")[0].at("item"), first);
  const Json chosen = films.map({.items = {"odd 1", "even 2"}}).spec();
  EXPECT_EQ(chosen.at("data").at("values").size(), 2u);
  EXPECT_EQ(error_in([&] { films.map({.y = 5}); }).code(), ErrorCode::usage);
}

TEST(Recommender, NetRecommendsButHasNoBiases) {
  Learner learn = taste_learner({.use_nn = true, .layers = std::vector{20}, .y_range = {{0.5, 5.5}}});
  const TemporaryFolder folder;
  learn.export_to(folder / "net.safetensors");
  const Recommender films(folder / "net.safetensors");
  const auto best = films.recommend("8", {.n = 3});
  ASSERT_EQ(best.size(), 3u);
  EXPECT_TRUE(best[0].item.starts_with("even")) << best[0].item;
  EXPECT_EQ(error_in([&] { films.bias({"odd 1"}); }).code(), ErrorCode::usage);
  EXPECT_EQ(error_in([&] { films.fold_in({{"odd 1", 3}}); }).code(), ErrorCode::usage);
  EXPECT_EQ(films.weight({"odd 1"}).size(1), emb_sz_rule(31));
}

TEST(Recommender, SaysThatRatedItemsAreNotKept) {
  const Learner learn = collab_learner(two_taste_loaders(), {.keep_rated = false, .listener = silent_listener()});
  const Recommender films(learn);
  EXPECT_THAT(error_in([&] { films.recommend("3"); }).what(), HasSubstr("keep_rated"));
  EXPECT_EQ(films.recommend("3", {.n = 100, .with_rated = true}).size(), 30u);
}

TEST(RatedItems, DamagedListsAreRefused) {
  auto rated = RatedItems(3, torch::tensor({1, 1, 2, 1}), torch::tensor({4, 2, 3, 4}));
  EXPECT_EQ(rated.size(), 3);
  EXPECT_TRUE(torch::equal(rated.of(1), torch::tensor({2, 4}, torch::kInt32)));
  EXPECT_EQ(rated.of(0).numel(), 0);
  rated.check(5);
  EXPECT_EQ(error_in([&] { rated.check(4); }).code(), ErrorCode::bad_model);
  rated.offsets[1] = 7;
  EXPECT_EQ(error_in([&] { rated.check(5); }).code(), ErrorCode::bad_model);
}

TEST(CollabModel, GraphOfTorchGivesTheSame) {
  // What other devices and types go through.
  EmbeddingDotBias model(7, 9, 11, {{0.5, 5.5}});
  const auto codes = torch::stack({torch::randint(9, {300}), torch::randint(11, {300})}, 1).to(torch::kInt64);
  const auto y = torch::rand({300});
  const auto gradients = [&](auto& of) {
    const auto said = of.forward(codes);
    (said - y).square().mean().backward();
    std::vector<torch::Tensor> all = {said.detach().to(torch::kFloat32)};
    for (const auto& p : of.parameters()) {
      all.push_back(p.grad().to(torch::kFloat32));
      p.mutable_grad().reset();
    }
    return all;
  };
  const auto quick = gradients(model);
  model.to(torch::kFloat64);
  const auto slow = gradients(model);
  ASSERT_EQ(quick.size(), slow.size());
  for (std::size_t i = 0; i < quick.size(); ++i) EXPECT_TRUE(torch::allclose(quick[i], slow[i], 1e-4, 1e-6)) << i;
}

}  // namespace kindling
