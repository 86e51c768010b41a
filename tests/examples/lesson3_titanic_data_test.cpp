// The neural net in a spreadsheet.
#include "core/temporary_folder.hpp"
#include "examples/example.hpp"

#include <algorithm>

#include <gmock/gmock.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;

TEST(GradientDescentTitanic, EndsNoWorseThanTheLessonsSolver) {
  const fs::path train = testing::shared_data() / "titanic" / "train.csv";
  if (!fs::exists(train)) GTEST_SKIP() << "needs the shared data set titanic (KINDLING_SHARED_DATA)";
  testing::TemporaryFolder folder;
  const testing::Run run =
      testing::run_example("lesson3_gradient_descent_titanic", folder.path(), "'" + train.string() + "'");
  ASSERT_EQ(run.code, 0) << run.out;
  EXPECT_THAT(run.out, HasSubstr("712 passengers, 10 columns\n"));
  EXPECT_LE(run.number_after("Linear: loss "), 0.1442);
  EXPECT_LE(run.number_after("ReLU: loss "), 0.1439);
  EXPECT_LE(run.number_after("Matrix: loss "), 0.1439);
  const std::string sheet = read_text(folder / "titanic_sheet.csv");
  EXPECT_THAT(sheet,
              ::testing::StartsWith("Survived,SibSp,Parch,Age_N,log_Fare,Pclass_1,Pclass_2,Embark_S,Embark_C,"
                                    "Male,Ones,Linear,Linear_loss,ReLU,ReLU_loss,Matrix,Matrix_loss\n"));
  EXPECT_EQ(std::count(sheet.begin(), sheet.end(), '\n'), 713);
}

}  // namespace
}  // namespace kindling
