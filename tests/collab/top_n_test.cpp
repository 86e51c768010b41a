#include <kindling/collab/top_n.hpp>
#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/nn/weights.hpp>
#include <kindling/train/export.hpp>

#include "collab/ranking_golden.hpp"
#include "collab/top_n_model.hpp"
#include "core/temporary_folder.hpp"

#include <cmath>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::error_in;
using testing::golden_ranking;
using testing::golden_split;
using testing::matrix_from;

namespace {

/// One item a row.
CompressedRows single_items(std::int64_t n) {
  CompressedRows rows{.n_columns = n, .values = std::vector<float>(n, 1)};
  rows.indptr.resize(n + 1);
  rows.indices.resize(n);
  std::iota(rows.indptr.begin(), rows.indptr.end(), 0);
  std::iota(rows.indices.begin(), rows.indices.end(), 0);
  return rows;
}

double difference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// Films of two kinds; each of 12 users has seen four of one kind.
Interactions small_tastes() {
  std::vector<std::string> users, films;
  for (int u = 0; u < 12; ++u) {
    for (int f = 0; f < 4; ++f) {
      users.push_back("user " + std::to_string(u));
      films.push_back((u % 2 ? "crime " : "comedy ") + std::to_string((u / 2 + f) % 6));
    }
  }
  return Interactions::from_df(Table({{"user", users}, {"film", films}}), {.binary = true});
}

std::vector<std::string> items_of(const std::vector<ScoredItem>& recommended) {
  std::vector<std::string> items;
  for (const ScoredItem& r : recommended) items.push_back(r.item);
  return items;
}

std::vector<TopNOptions> both_methods() {
  return {{.method = "ease", .l2 = 1}, {.method = "ials", .l2 = 0.02, .factors = 4, .iterations = 8, .alpha = 0.2}};
}

}  // namespace

TEST(Ease, EqualsAPlainInverse) {
  // Of items for the case with more users than items, of users for the other.
  for (const auto& [name, inverse] : {std::pair("tall", "items"), {"wide", "users"}}) {
    const Json& want = golden_ranking().at(name).at("ease");
    const Interactions train = golden_split(golden_ranking().at(name)).train;
    const auto model = detail::fit_ease(train, {.l2 = want.at("l2").get<double>()});
    EXPECT_EQ(model->spec().at("inverse"), inverse);
    EXPECT_LT(difference(model->scores(single_items(train.n_items())), matrix_from(want.at("b"))), 2e-6) << name;
    EXPECT_LT(difference(model->scores(train.rows()), matrix_from(want.at("scores"))), 1e-5) << name;
    const auto similar = matrix_from(want.at("similar"));
    for (std::int64_t item = 0; item < train.n_items(); ++item) {
      auto got = model->similar(item);
      got[item] = similar[item][item];
      EXPECT_LT(difference(got, similar[item]), 2e-6) << name << " " << item;
    }
  }
}

TEST(Ials, EqualsPlainNumpyAfterThreeIterations) {
  for (const char* name : {"tall", "wide"}) {
    const Interactions train = golden_split(golden_ranking().at(name)).train;
    for (const Json& want : golden_ranking().at(name).at("ials")) {
      const auto model = detail::fit_ials(train, {.l2 = want.at("l2").get<double>(),
                                                  .iterations = want.at("iterations").get<int>(),
                                                  .alpha = want.at("alpha").get<double>(),
                                                  .frequency = want.at("frequency").get<double>(),
                                                  .init = matrix_from(want.at("init"))});
      EXPECT_LT(difference(model->tensors().at(0).second, matrix_from(want.at("items"))), 1e-4) << name;
      EXPECT_LT(difference(model->scores(train.rows()), matrix_from(want.at("scores"))), 1e-4) << name;
    }
  }
}

TEST(Ials, StartsFromTheSeed) {
  const Interactions train = small_tastes();
  const auto factors = [&](std::uint64_t seed) {
    return detail::fit_ials(train, {.factors = 4, .iterations = 1, .seed = seed})->tensors().at(0).second;
  };
  EXPECT_TRUE(torch::equal(factors(1), factors(1)));
  EXPECT_FALSE(torch::equal(factors(1), factors(2)));
}

TEST(TopN, RecommendsOfTheSameTasteWhatIsNotKnown) {
  for (const TopNOptions& options : both_methods()) {
    const TopN top = top_n_learner(small_tastes(), options);
    // User 1 has seen crime 0 to 3.
    EXPECT_THAT(items_of(top.recommend("user 1", 2)), ::testing::UnorderedElementsAre("crime 4", "crime 5"))
        << options.method;
    EXPECT_EQ(top.recommend("user 1", 100).size(), 8u) << options.method;
    const auto found = top.recommend_from({"comedy 0", "comedy 2", "comedy 0"}, 3);
    EXPECT_EQ(found[0].item, "comedy 1") << options.method;
    for (const std::string& item : items_of(found)) EXPECT_THAT(item, HasSubstr("comedy")) << options.method;
    EXPECT_GE(found[0].score, found[1].score);
    const auto near = top.similar("crime 2", 2);
    for (const std::string& item : items_of(near)) EXPECT_THAT(item, HasSubstr("crime")) << options.method;
    EXPECT_LE(near[0].score, 1.00001);
  }
}

TEST(TopN, SomeoneNewIsAsSomeoneKnown) {
  for (const TopNOptions& options : both_methods()) {
    const TopN top = top_n_learner(small_tastes(), options);
    const auto known = top.recommend("user 1"), anew = top.recommend_from({"crime 3", "crime 0", "crime 2", "crime 1"});
    EXPECT_EQ(items_of(known), items_of(anew));
    EXPECT_EQ(known[0].score, anew[0].score);
  }
}

TEST(TopN, NamesTheNearestOfWhatIsNotThere) {
  const TopN top = top_n_learner(small_tastes());
  const Error user = error_in([&] { top.recommend("usr 3"); });
  EXPECT_EQ(user.code(), ErrorCode::not_found);
  EXPECT_EQ(user.message(), "there is no user 'usr 3' (did you mean 'user 3'?)");
  EXPECT_EQ(error_in([&] { top.recommend_from({"crime 3", "crimes 4"}); }).message(),
            "there is no item 'crimes 4' (did you mean 'crime 4'?)");
  EXPECT_EQ(error_in([&] { top.similar("x"); }).code(), ErrorCode::not_found);
  EXPECT_EQ(error_in([&] { top.recommend("user 3", 0); }).code(), ErrorCode::usage);
  EXPECT_EQ(error_in([&] { top.recommend_from({}); }).code(), ErrorCode::usage);
  const std::vector<std::int64_t> two{1, 2};
  const Interactions rated =
      Interactions::from_df(Table({{"u", two}, {"i", two}, {"r", std::vector<double>{5, 1}}}), {.min_rating = 3});
  EXPECT_THAT(error_in([&] { top_n_learner(rated).recommend("2"); }).hint(), HasSubstr("recommend_from"));
}

TEST(TopN, RefusesSettingsThatCannotBe) {
  const Interactions train = small_tastes();
  const auto error = [&](const TopNOptions& options) { return error_in([&] { top_n_learner(train, options); }); };
  EXPECT_EQ(error({.method = "eas"}).message(), "there is no method 'eas' (did you mean 'ease'?)");
  EXPECT_EQ(error({.l2 = 0}).message(), "l2 must be above 0");
  EXPECT_EQ(error({.method = "ials", .l2 = NAN}).message(), "l2 must be above 0");
  EXPECT_EQ(error({.method = "ials", .alpha = -1}).message(), "alpha must be above 0");
  EXPECT_EQ(error({.method = "ials", .factors = 0}).code(), ErrorCode::usage);
  EXPECT_EQ(error({.method = "ials", .iterations = 0}).code(), ErrorCode::usage);
  EXPECT_EQ(error({.method = "ials", .init = torch::zeros({3, 4})}).fact("got"), "[3, 4]");
  const Error large = error({.max_inverse = 11});
  EXPECT_EQ(large.code(), ErrorCode::limit);
  EXPECT_EQ(large.fact("size"), "12 x 12");
  EXPECT_THAT(large.hint(), HasSubstr(".method = \"ials\""));
  const std::vector<std::int64_t> two{1, 2};
  const Interactions negative =
      Interactions::from_df(Table({{"u", two}, {"i", two}, {"r", std::vector<double>{5, -1}}}));
  EXPECT_EQ(error_in([&] { top_n_learner(negative, {.method = "ials"}); }).code(), ErrorCode::bad_data);
  EXPECT_NO_THROW(top_n_learner(negative));
  const Interactions none =
      Interactions::from_df(Table({{"u", two}, {"i", two}}), Splits{{}, {0}}, {.binary = true}).train;
  EXPECT_EQ(error_in([&] { top_n_learner(none); }).code(), ErrorCode::bad_data);
}

TEST(TopN, TellsTheListenerAndStopsOnRequest) {
  struct Last : Listener {
    void progress(const Progress& p) override {
      ++calls;
      last = p;
    }
    int calls = 0;
    Progress last;
  };
  const auto listener = std::make_shared<Last>();
  top_n_learner(small_tastes(), {.method = "ials", .factors = 2, .iterations = 3, .listener = listener});
  EXPECT_EQ(listener->calls, 3);
  EXPECT_TRUE(listener->last.finished);
  request_interrupt();
  const Error stopped = error_in([&] { top_n_learner(small_tastes(), {.method = "ials", .factors = 2}); });
  clear_interrupt();
  EXPECT_EQ(stopped.code(), ErrorCode::interrupted);
}

TEST(TopNFile, HoldsEverything) {
  const testing::TemporaryFolder folder;
  for (const char* name : {"tall", "wide"}) {
    const Interactions train = golden_split(golden_ranking().at(name)).train;
    for (const TopNOptions& options : both_methods()) {
      const TopN top = top_n_learner(train, options);
      top.save(folder / "top.safetensors");
      const TopN read = TopN::load(folder / "top.safetensors");
      EXPECT_EQ(read.spec(), top.spec());
      EXPECT_EQ(read.known().users().items(), train.users().items());
      EXPECT_EQ(read.known().rows().values, train.rows().values);
      std::vector<std::int64_t> users(train.n_users());
      std::iota(users.begin(), users.end(), 0);
      EXPECT_TRUE(torch::equal(read.ranker().scores(users), top.ranker().scores(users)));
      EXPECT_EQ(items_of(read.recommend("3", 3)), items_of(top.recommend("3", 3)));
      EXPECT_EQ(items_of(read.similar("3", 3)), items_of(top.similar("3", 3)));
    }
  }
}

TEST(TopNFile, ThatIsDamagedOrForeignIsRefused) {
  const testing::TemporaryFolder folder;
  const fs::path path = folder / "top.safetensors";
  const TopN top = top_n_learner(small_tastes());
  top.save(path);
  EXPECT_THAT(error_in([&] { load_learner(path); }).hint(), HasSubstr("TopN::load"));
  const Weights weights = Weights::open(path);
  // Sealed anew, so that only what is read can refuse it.
  const auto write = [&](const std::function<void(Weights::Named&, Json&)>& change) {
    Weights::Named tensors = weights.tensors();
    for (auto& [name, tensor] : tensors) tensor = tensor.clone();
    Json manifest = parse_json(weights.metadata().at("kindling"), "manifest");
    change(tensors, manifest);
    save_safetensors(folder / "changed.safetensors", tensors, {{"kindling", manifest.dump()}}, {.sealed = true});
  };
  const auto with = [&](const std::function<void(Weights::Named&, Json&)>& change) {
    write(change);
    return error_in([&] { TopN::load(folder / "changed.safetensors"); });
  };
  const auto tensor = [](Weights::Named& tensors, const std::string& name) -> torch::Tensor& {
    return std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.first == name; })->second;
  };
  const std::vector<std::function<void(Weights::Named&, Json&)>> changes{
      [](auto&, Json& m) { m["model"]["kind"] = "tabular"; },
      [](auto&, Json& m) { m["model"]["method"] = "magic"; },
      [](auto&, Json& m) { m["model"].erase("l2"); },
      [](auto&, Json& m) { m["model"]["l2"] = -1; },
      [](auto&, Json& m) { m["model"]["inverse"] = "both"; },
      [](auto&, Json& m) { m["items"]["values"] = Json::array({"a"}); },
      [](auto&, Json& m) { m["users"] = 3; },
      [](auto&, Json& m) { m["users"]["values"].erase(0); },
      [&](auto& t, Json&) { tensor(t, "known.indices")[0] = 12; },
      [&](auto& t, Json&) { tensor(t, "known.indptr")[0] = 1; },
      [&](auto& t, Json&) { tensor(t, "known.values") = tensor(t, "known.values").to(torch::kFloat64); },
      [&](auto& t, Json&) { tensor(t, "model.inverse") = torch::zeros({12, 11}); },
      [&](auto& t, Json&) { tensor(t, "model.inverse")[0][0] = std::numeric_limits<float>::infinity(); },
      [&](auto& t, Json&) { tensor(t, "model.diagonal")[3] = 0; },
      [&](auto& t, Json&) { t.erase(t.begin()); },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const Error e = with(changes[i]);
    EXPECT_EQ(e.code(), ErrorCode::bad_model) << i << ": " << e.what();
    EXPECT_EQ(e.fact("path"), (folder / "changed.safetensors").string()) << i;
  }
  write([](auto&, Json&) {});
  EXPECT_NO_THROW(TopN::load(folder / "changed.safetensors"));
  Bytes bytes = read_file(path);
  bytes[bytes.size() - 1] ^= 1;
  write_file(path, std::span<const std::uint8_t>(bytes));
  EXPECT_THAT(error_in([&] { TopN::load(path); }).what(), HasSubstr("the model file is damaged"));
  EXPECT_EQ(error_in([&] { TopN::load(folder / "none"); }).code(), ErrorCode::not_found);
}

}  // namespace kindling
