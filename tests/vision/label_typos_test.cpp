#include "vision/label_typos.hpp"

#include <gtest/gtest.h>

namespace kindling::detail {
namespace {

using Counts = std::map<std::string, std::size_t>;

/// "odd > meant: reason" of each.
std::vector<std::string> told(const Counts& counts) {
  std::vector<std::string> lines;
  for (const OddLabel& odd : odd_labels(counts))
    lines.push_back(odd.label + " > " + odd.meant + ": " + odd.reason);
  return lines;
}

std::vector<std::string> lines(std::initializer_list<std::string> l) {
  return l;
}

TEST(LabelTypos, CaseIsTold) {
  EXPECT_EQ(told({{"Dog", 3}, {"dog", 50}, {"cat", 50}}),
            lines({"Dog > dog: differs in upper and lower case only"}));
  EXPECT_EQ(told({{"Bär", 30}, {"bÄr", 50}}), lines({"Bär > bÄr: differs in upper and lower case only"}));
  EXPECT_EQ(told({{"КОТ", 3}, {"кот", 50}}), lines({"КОТ > кот: differs in upper and lower case only"}));
}

TEST(LabelTypos, BlanksAndSeparatorsAreTold) {
  EXPECT_EQ(told({{"great pyrenees", 9}, {"great_pyrenees", 50}}),
            lines({"great pyrenees > great_pyrenees: differs in blanks, '_' or '-' only"}));
  EXPECT_EQ(told({{"dog ", 2}, {"dog", 50}}), lines({"dog  > dog: differs in blanks, '_' or '-' only"}));
  EXPECT_EQ(told({{" dog", 50}, {"cat", 50}}), lines({" dog > dog: has blanks at its ends"}));
  EXPECT_EQ(told({{"Great pyrenees", 9}, {"great_pyrenees", 50}}),
            lines({"Great pyrenees > great_pyrenees: differs in case and blanks only"}));
}

TEST(LabelTypos, OneEditOfARareLabelIsTold) {
  for (const std::string typo : {"grizly", "grizzlyy", "grizzlx", "girzzly", "rizzly"})
    EXPECT_EQ(told({{typo, 1}, {"grizzly", 20}, {"black", 20}}),
              lines({typo + " > grizzly: is one letter away"}));
}

TEST(LabelTypos, LabelsThatMayWellDifferAreLeftAlone) {
  EXPECT_TRUE(told({{"bear", 40}, {"pear", 40}}).empty()) << "both are frequent";
  EXPECT_TRUE(told({{"bear", 40}, {"pear", 9}}).empty()) << "not rare enough";
  EXPECT_TRUE(told({{"class10", 1}, {"class11", 40}, {"class1", 40}}).empty()) << "numbers";
  EXPECT_TRUE(told({{"3", 1}, {"7", 400}}).empty());
  EXPECT_TRUE(told({{"A", 1}, {"B", 400}}).empty()) << "short";
  EXPECT_TRUE(told({{"cat", 1}, {"rat", 400}}).empty()) << "short";
  EXPECT_TRUE(told({{"grzzyl", 1}, {"grizzly", 400}}).empty()) << "two edits";
  EXPECT_TRUE(told({}).empty());
}

TEST(LabelTypos, BytesThatAreNoUtf8AreTakenAsTheyAre) {
  EXPECT_EQ(told({{"caf\xE9s", 1}, {"cafes", 40}}), lines({"caf\xE9s > cafes: is one letter away"}));
  EXPECT_EQ(told({{"dogs\xF0", 1}, {"dogs", 40}}), lines({"dogs\xF0 > dogs: is one letter away"}));
}

}  // namespace
}  // namespace kindling::detail
