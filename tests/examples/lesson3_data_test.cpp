// Chapter 4 of the course's book, on its threes and sevens.
#include "core/temporary_folder.hpp"
#include "examples/example.hpp"

#include <gmock/gmock.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;

TEST(MnistBasics, PrintsTheBooksNumbers) {
  testing::TemporaryFolder folder;
  const fs::path data = testing::unpack_mnist_sample(folder.path());
  if (data.empty()) GTEST_SKIP() << "needs the shared data set mnist_sample (KINDLING_SHARED_DATA)";
  const testing::Run run =
      testing::run_example("lesson3_mnist_basics", folder.path(), "'" + data.string() + "' pixels sgd");
  ASSERT_EQ(run.code, 0) << run.out;
  EXPECT_THAT(run.out, HasSubstr("6131 threes and 6265 sevens"));
  // The book's picture of rows 4 to 14: the line on which the three's upper bow begins.
  EXPECT_THAT(run.out, HasSubstr("   0   0  29 150 195 254 255 254 176 193 150  96   0   0   0\n"));
  EXPECT_THAT(run.out, HasSubstr("from the mean three: L1 0.1114, RMSE 0.2021\n"));
  EXPECT_THAT(run.out, HasSubstr("from the mean seven: L1 0.1586, RMSE 0.3021\n"));
  EXPECT_THAT(run.out, HasSubstr("0.9168 of the threes, 0.9854 of the sevens, 0.9511 on average\n"));
  EXPECT_THAT(run.out, HasSubstr("at 3, 4, 10: 6 8 20\n"));
  EXPECT_THAT(run.out, HasSubstr("roller coaster: 25823.8 5435.5 1577.4 847.4 709.2 683.1 678.1 677.2 677.0 677.0"));
  EXPECT_TRUE(fs::exists(folder / "mnist_basics.png"));
  EXPECT_TRUE(fs::exists(folder / "mnist_basics.html"));
}

}  // namespace
}  // namespace kindling
