#include <kindling/core/error.hpp>
#include <kindling/train/hyper.hpp>
#include <kindling/train/schedules.hpp>

#include "golden.hpp"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using ::testing::ElementsAre;
using testing::golden;
using ::testing::HasSubstr;

TEST(Schedules, EveryFunctionGivesFastaisValues) {
  const std::map<std::string, Schedule> ours = {
      {"lin(0, 2)", SchedLin(0, 2)},
      {"cos(0, 2)", SchedCos(0, 2)},
      {"no(1.5, 2)", SchedNo(1.5, 2)},
      {"exp(1e-7, 10)", SchedExp(1e-7, 10)},
      {"poly(0, 2, 2)", SchedPoly(0, 2, 2)},
      {"poly(1, 0, 0.5)", SchedPoly(1, 0, 0.5)},
      {"combined_cos(0.25, 0.5, 1, 0)", combined_cos(0.25, 0.5, 1, 0)},
      {"combined_cos(0.3, 4e-5, 1e-3, 1e-8)", combined_cos(0.3, 4e-5, 1e-3, 1e-8)},
      {"combined_cos(0.99, 0.95, 0.85, 0.95)", combined_cos(0.99, 0.95, 0.85, 0.95)},
      {"combine([0.3, 0.2, 0.5], [lin(0, 1), no(1, 1), cos(1, 0)])",
       combine_scheds({0.3, 0.2, 0.5}, {SchedLin(0, 1), SchedNo(1, 1), SchedCos(1, 0)})}};
  const Json expected = golden("train/schedules.json");
  const auto positions = expected.at("positions").get<std::vector<double>>();
  ASSERT_EQ(expected.at("functions").size(), ours.size());
  for (const auto& [name, values] : expected.at("functions").items()) {
    for (std::size_t i = 0; i < positions.size(); ++i) {
      EXPECT_NEAR(ours.at(name)(positions[i]), values[i].get<double>(), 1e-9)
          << name << " at " << positions[i];
    }
  }
}

TEST(Schedules, PartsThatDoNotSumToOneAreRefused) {
  try {
    combine_scheds({0.3, 0.3}, {SchedNo(1, 1), SchedNo(1, 1)});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::usage);
    EXPECT_THAT(e.what(), HasSubstr("sum to 1"));
  }
}

TEST(Hyper, NumberIsTheSameForAllGroups) {
  EXPECT_THAT(Hyper(0.1).over(3), ElementsAre(0.1, 0.1, 0.1));
}

TEST(Hyper, SliceOfStopGivesATenthToEarlierGroups) {
  const auto values = slice(1e-2).over(3);
  EXPECT_DOUBLE_EQ(values[0], 1e-3);
  EXPECT_DOUBLE_EQ(values[1], 1e-3);
  EXPECT_DOUBLE_EQ(values[2], 1e-2);
}

TEST(Hyper, SliceOfTwoGoesByEvenFactors) {
  const auto values = slice(1e-4, 1e-2).over(3);
  EXPECT_NEAR(values[0], 1e-4, 1e-12);
  EXPECT_NEAR(values[1], 1e-3, 1e-12);
  EXPECT_NEAR(values[2], 1e-2, 1e-12);
  EXPECT_THAT(slice(1e-4, 1e-2).over(1), ElementsAre(1e-2));
}

TEST(Hyper, ListOfAnotherLengthIsRefused) {
  try {
    Hyper({1, 2}).over(3);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("one value for each parameter group (values: 2, groups: 3)"));
  }
}

}  // namespace kindling
