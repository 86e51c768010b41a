#include "core/temporary_folder.hpp"
#include "ratings_fixture.hpp"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using ::testing::HasSubstr;
using testing::error_in;
using testing::TemporaryFolder;
using testing::Told;
using testing::two_taste_loaders;
using testing::two_tastes;

namespace {

CollabDataLoadersOptions quietly(CollabDataLoadersOptions o = {}) {
  o.listener = silent_listener();
  return o;
}

fs::path written(const TemporaryFolder& folder, const std::string& text) {
  write_file(folder / "ratings.csv", text);
  return folder / "ratings.csv";
}

Table one_rating() {
  return Table({{"user", std::vector<std::int64_t>{1}},
                {"film", std::vector<std::int64_t>{10}},
                {"rating", std::vector<double>{1}}});
}

Error error_of(const std::string& csv, CollabDataLoadersOptions o = {}) {
  const TemporaryFolder folder;
  const fs::path path = written(folder, csv);
  return error_in([&] { CollabDataLoaders::from_csv(path, quietly(o)); });
}

}  // namespace

TEST(CollabDataLoaders, BatchesAreCodesAndRatings) {
  const DataLoaders dls = two_taste_loaders();
  const Batch batch = dls.train().one_batch();
  EXPECT_EQ(batch.x[0].sizes(), (std::vector<std::int64_t>{64, 2}));
  EXPECT_EQ(batch.x[0].scalar_type(), torch::kInt64);
  EXPECT_EQ(batch.y[0].sizes(), std::vector<std::int64_t>{64});
  EXPECT_EQ(batch.y[0].scalar_type(), torch::kFloat32);
}

TEST(CollabDataLoaders, NoRowIsLost) {
  const RatingCounts counts = rating_counts(two_taste_loaders());
  EXPECT_EQ(counts.train + counts.valid, two_tastes().n_rows());
  EXPECT_EQ(counts.valid, two_tastes().n_rows() / 5);
  EXPECT_EQ(counts.users, 40);
  EXPECT_EQ(counts.items, 30);
  EXPECT_EQ(counts.low, 1.5);
  EXPECT_EQ(counts.high, 5);
  EXPECT_EQ(counts.unknown_users + counts.unknown_items + counts.repeated, 0);
}

TEST(CollabDataLoaders, BatchIsShownByNames) {
  const std::string table = two_taste_loaders().batch_table({.max_n = 3});
  EXPECT_THAT(table, HasSubstr("user"));
  EXPECT_THAT(table, HasSubstr("film"));
  EXPECT_THAT(table, HasSubstr("odd 7"));
}

TEST(CollabDataLoaders, EpochShowsEachRatingOnce) {
  const DataLoaders dls = two_taste_loaders();
  double sum = 0;
  std::int64_t n = 0;
  const Batch all = dls.train().with({.bs = 10000, .num_workers = 0}).one_batch();
  for (const Batch& batch : dls.train().with({.bs = 64, .shuffle = true, .num_workers = 0})) {
    sum += batch.y[0].sum().item<double>();
    n += batch.size();
  }
  EXPECT_EQ(n, dls.train().n());
  EXPECT_NEAR(sum, all.y[0].sum().item<double>(), 1e-6);
}

TEST(CollabDataLoaders, MissingAndUnknownOnesAreCodeZeroAndSaid) {
  const TemporaryFolder folder;
  const auto told = std::make_shared<Told>();
  const fs::path path = written(folder, "user,film,rating\n1,10,3\n,10,4\n2,,5\n7,99,1\n1,11,2\n");
  const DataLoaders dls = CollabDataLoaders::from_csv(path, {.valid_idx = {{3}}, .listener = told});
  const Batch valid = dls.valid().one_batch();
  EXPECT_EQ(valid.x[0][0][0].item<std::int64_t>(), 0);
  EXPECT_EQ(valid.x[0][0][1].item<std::int64_t>(), 0);
  const RatingCounts counts = rating_counts(dls);
  EXPECT_EQ(counts.unknown_users, 2);
  EXPECT_EQ(counts.unknown_items, 2);
  EXPECT_EQ(counts.train + counts.valid, 5);
  EXPECT_THAT(told->texts, HasSubstr("2 ratings have a user that is missing"));
  EXPECT_THAT(told->texts, HasSubstr("2 ratings have a film that is missing"));
  EXPECT_THAT(counts.to_string(), HasSubstr("2 have a user"));
}

TEST(CollabDataLoaders, RepeatedRatingsAreCounted) {
  const Table table({{"user", std::vector<std::int64_t>{1, 1, 1, 2}},
                     {"film", std::vector<std::int64_t>{5, 5, 6, 5}},
                     {"rating", std::vector<double>{1, 2, 3, 4}}});
  EXPECT_EQ(rating_counts(CollabDataLoaders::from_df(table, quietly({.valid_pct = 0}))).repeated, 1);
}

TEST(CollabDataLoaders, SaysWhatIsWrongWithTheTable) {
  EXPECT_THAT(error_of("user,film\n1,2\n").what(), HasSubstr("has three columns"));
  EXPECT_EQ(error_of("user,film\n1,2\n").fact("missing"), "rating");
  EXPECT_THAT(error_of("user,film,rating\n1,2,3\n", {.item_name = "movie"}).what(), HasSubstr("movie"));
  EXPECT_THAT(error_of("user,user,rating\n1,2,3\n").what(), HasSubstr("user"));
  EXPECT_EQ(error_of("user,film,rating\n1,2,3\n1,3,good\n").code(), ErrorCode::bad_data);
  EXPECT_THAT(error_of("user,film,rating\n1,2,3\n1,3,good\n").what(), HasSubstr("line 3"));
  EXPECT_THAT(error_of("user,film,rating\n1,2,3\n1,3,\n").what(), HasSubstr("the target is missing"));
  EXPECT_THAT(error_of("user,film,rating\n1,2,3\n1,3,\n").what(), HasSubstr("line 3"));
  EXPECT_THAT(error_of("user,film,rating\n1,2,3.5\n1,3,inf\n").what(), HasSubstr("infinite"));
  EXPECT_THAT(error_of("user,film,rating\n1,2,3.5\n1,3,inf\n").what(), HasSubstr("line 3"));
  EXPECT_EQ(error_of("user,film,rating\n").code(), ErrorCode::bad_data);
  EXPECT_EQ(error_of("user,film,rating\n1,2,3\n", {.valid_pct = 1.5}).code(), ErrorCode::usage);
}

TEST(CollabDataLoaders, OtherTablesAreNoRatings) {
  const Table table({{"a", std::vector<std::int64_t>{1, 2}}, {"y", std::vector<double>{1, 2}}});
  const auto dls = TabularDataLoaders::from_df(
      table, {.procs = {Categorify()}, .cat_names = {"a"}, .y_names = {"y"}, .valid_idx = {{}}, .bs = 1});
  const Error e = error_in([&] { collab_learner(dls); });
  EXPECT_EQ(e.code(), ErrorCode::usage);
  EXPECT_THAT(e.what(), HasSubstr("CollabDataLoaders"));
}

TEST(Titles, ItemsWithoutOneKeepTheirNameAndAreCounted) {
  const Table ratings({{"user", std::vector<std::int64_t>{1, 2, 3, 4}},
                       {"film", std::vector<std::int64_t>{10, 20, 30, 10}},
                       {"rating", std::vector<double>{1, 2, 3, 4}}});
  const Table titles({{"film", std::vector<std::int64_t>{10, 30, 40}},
                      {"title", std::vector<std::string>{"Heat", "Heat", "Alien"}}});
  const TitledRatings titled = with_titles(ratings, "film", titles);
  EXPECT_EQ(titled.table.names(), (std::vector<std::string>{"user", "title", "rating"}));
  EXPECT_EQ(titled.table.text(0, "title"), "Heat");
  EXPECT_EQ(titled.table.text(1, "title"), "20");
  EXPECT_EQ(titled.untitled_items, 1);
  EXPECT_EQ(titled.untitled_ratings, 1);
  EXPECT_EQ(titled.shared_titles, 1);
}

TEST(Titles, AreFoundByAKeyOfAnotherName) {
  const Table ratings = one_rating();
  const Table titles({{"id", std::vector<std::string>{"10"}}, {"name", std::vector<std::string>{"Heat"}}});
  EXPECT_EQ(with_titles(ratings, "film", titles, {.key = "id", .title = "name"}).table.text(0, "name"), "Heat");
}

TEST(Titles, SayWhatIsWrongWithThem) {
  const Table ratings = one_rating();
  const Table twice({{"film", std::vector<std::int64_t>{10, 10}},
                     {"title", std::vector<std::string>{"Heat", "Alien"}}});
  const Error two = error_in([&] { with_titles(ratings, "film", twice); });
  EXPECT_THAT(two.what(), HasSubstr("two titles"));
  EXPECT_EQ(two.fact("other"), "Alien");
  EXPECT_EQ(error_in([&] { with_titles(ratings, "film", twice, {.key = "movie"}); }).code(), ErrorCode::bad_data);
  EXPECT_EQ(error_in([&] { with_titles(ratings, "film", twice, {.title = "name"}); }).code(), ErrorCode::bad_data);
  const Table users({{"film", std::vector<std::int64_t>{10}}, {"user", std::vector<std::string>{"x"}}});
  const Error taken = error_in([&] { with_titles(ratings, "film", users, {.title = "user"}); });
  EXPECT_EQ(taken.fact("column"), "user");
}

}  // namespace kindling
