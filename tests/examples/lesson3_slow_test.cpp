// What lesson 3's nets learn. The ResNet takes most of the time.
#include "core/temporary_folder.hpp"
#include "examples/example.hpp"

#include <gmock/gmock.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;

TEST(MnistBasics, LearnsAsWellAsTheBook) {
  testing::TemporaryFolder folder;
  const fs::path data = testing::unpack_mnist_sample(folder.path());
  if (data.empty()) GTEST_SKIP() << "needs the shared data set mnist_sample (KINDLING_SHARED_DATA)";
  const testing::Run run =
      testing::run_example("lesson3_mnist_basics", folder.path(), "'" + data.string() + "' scratch learner resnet");
  ASSERT_EQ(run.code, 0) << run.out;
  EXPECT_THAT(run.out, HasSubstr("mnist_loss of three predictions: 0.4460\n"));
  EXPECT_GT(run.number_after("simple_net: "), 0.978);
  EXPECT_GT(run.number_after("ResNet-18: "), 0.985);
}

}  // namespace
}  // namespace kindling
