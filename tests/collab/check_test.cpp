#include <kindling/collab/check.hpp>
#include <kindling/core/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

struct Rating {
  std::string user, item;
  double value;
};

Table table_of(const std::vector<Rating>& ratings) {
  std::vector<std::string> users, items;
  std::vector<double> values;
  for (const Rating& r : ratings) {
    users.push_back(r.user);
    items.push_back(r.item);
    values.push_back(r.value);
  }
  return Table({{"user", users}, {"item", items}, {"rating", values}});
}

/// Each of six users rates each of six items, 1 to 5.
std::vector<Rating> sound_ratings() {
  std::vector<Rating> ratings;
  for (int user = 0; user < 6; ++user) {
    for (int item = 0; item < 6; ++item)
      ratings.push_back({"u" + std::to_string(user), "i" + std::to_string(item), 1.0 + (user * 2 + item) % 5});
  }
  return ratings;
}

std::vector<std::string> problems(const Table& table) {
  std::vector<std::string> names;
  for (const RatingFinding& f : check_ratings(table)) names.emplace_back(name_of(f.problem));
  return names;
}

TEST(CheckRatings, FindsNothingInSoundOnes) {
  EXPECT_THAT(check_ratings(table_of(sound_ratings())), ::testing::IsEmpty());
}

TEST(CheckRatings, CountsWhatIsMissing) {
  const Table table({{"user", Table::Texts{"a", std::nullopt, "b"}},
                     {"item", Table::Texts{"x", "y", "z"}},
                     {"rating", Table::Numbers{1, 2, std::nullopt}}});
  const auto found = check_ratings(table);
  ASSERT_GE(found.size(), 2u);
  EXPECT_THAT(found[0].text, HasSubstr("in 'user': 1"));
  EXPECT_THAT(found[1].text, HasSubstr("in 'rating': 1"));
}

TEST(CheckRatings, FindsPairsThatComeTwice) {
  auto ratings = sound_ratings();
  ratings.push_back({"u0", "i0", 5});
  EXPECT_THAT(problems(table_of(ratings)), UnorderedElementsAre("repeated"));
}

TEST(CheckRatings, TellsAZeroThatStandsApart) {
  auto ratings = sound_ratings();
  for (Rating& r : ratings) r.value += 5;  // 6 to 10
  ratings[3].value = 0;
  EXPECT_THAT(problems(table_of(ratings)), UnorderedElementsAre("zeros"));
  // From 0 to 4 a zero is a rating as others are.
  ratings = sound_ratings();
  for (Rating& r : ratings) r.value -= 1;
  ratings.push_back({"u6", "i0", 3});
  ratings.push_back({"u6", "i1", 3});
  EXPECT_THAT(problems(table_of(ratings)), ::testing::IsEmpty());
}

TEST(CheckRatings, FindsOneValue) {
  auto ratings = sound_ratings();
  for (Rating& r : ratings) r.value = 1;
  EXPECT_THAT(problems(table_of(ratings)), UnorderedElementsAre("one value"));
}

TEST(CheckRatings, FindsUsersAndItemsOfWhichLittleIsKnown) {
  auto ratings = sound_ratings();
  for (int i = 0; i < 3; ++i) ratings.push_back({"new" + std::to_string(i), "rare" + std::to_string(i), 3.0 + i % 2});
  for (int item = 0; item < 10; ++item) ratings.push_back({"always", "i" + std::to_string(item), 5});
  EXPECT_THAT(problems(table_of(ratings)), UnorderedElementsAre("one rating", "rare items", "same rating"));
}

TEST(CheckRatings, RefusesATableWithoutRows) {
  EXPECT_THROW(check_ratings(table_of({})), Error);
}

}  // namespace
}  // namespace kindling
