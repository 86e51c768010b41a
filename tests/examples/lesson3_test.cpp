// The numbers of the course's notebook "How does a neural net really work?".
#include "core/temporary_folder.hpp"
#include "examples/example.hpp"

#include <gmock/gmock.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;

TEST(HowANeuralNetWorks, PrintsTheNotebooksNumbers) {
  testing::TemporaryFolder folder;
  const testing::Run run = testing::run_example("lesson3_how_a_neural_net_works", folder.path());
  ASSERT_EQ(run.code, 0) << run.out;
  EXPECT_THAT(run.out, HasSubstr("(-2.0000, 11.8690) (-1.7895, 6.5433) (-1.5789, 5.9396) (-1.3684, 2.6304) (-1.1579, "
                                 "1.7947)\n"));
  EXPECT_THAT(run.out, HasSubstr("a = b = c = 1.1: 2.4219\n"));
  EXPECT_THAT(run.out, HasSubstr("gradients: -1.3529 -0.0316 -0.5000\n"));
  EXPECT_THAT(run.out, HasSubstr("\nloss=2.40\n"));
  const char* losses[] = {"2.40", "2.36", "2.30", "2.21", "2.11", "1.98", "1.85", "1.72", "1.58", "1.46"};
  for (int i = 0; i < 10; ++i)
    EXPECT_THAT(run.out, HasSubstr("step=" + std::to_string(i) + "; loss=" + losses[i] + "\n"));
}

TEST(HowANeuralNetWorks, WritesAPageWithASliderForEachParameter) {
  testing::TemporaryFolder folder;
  ASSERT_EQ(testing::run_example("lesson3_how_a_neural_net_works", folder.path(), "page.html").code, 0);
  const std::string page = read_text(folder / "page.html");
  const std::string specs = page.substr(page.rfind("id=\"figures\""));
  for (const char* name : {"a", "b", "c", "m", "m1", "b1", "m2", "b2", "m3", "b3"}) {
    EXPECT_THAT(specs, HasSubstr("{\"name\":\"" + std::string(name) + "\",\"value\":"));
  }
  EXPECT_THAT(specs, HasSubstr("\"min\":-1.1,\"max\":3.3"));
  EXPECT_THAT(specs, HasSubstr("format(mae, '.2f')"));
}

}  // namespace
}  // namespace kindling
