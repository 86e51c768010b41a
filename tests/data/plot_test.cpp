#include <kindling/core/error.hpp>
#include <kindling/data/plot.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

namespace kindling {
namespace {

using ::testing::ElementsAre;

TEST(NumbersOf, AreAllInRowOrder) {
  EXPECT_THAT(numbers_of(torch::tensor({{1, 2}, {3, 4}}).t()), ElementsAre(1, 3, 2, 4));
  EXPECT_THAT(numbers_of(torch::tensor(0.5).requires_grad_()), ElementsAre(0.5));
}

TEST(PlotFunction, CallsItOnceWithAColumnOfTheCoursesHundredPoints) {
  int calls = 0;
  const Json spec = plot_function(
                        [&](const torch::Tensor& x) {
                          ++calls;
                          EXPECT_THAT(x.sizes(), ElementsAre(100, 1));
                          return x * x;
                        },
                        {.title = "x²", .ylim = {{-1, 4}}})
                        .spec();
  EXPECT_EQ(calls, 1);
  const Json& points = spec["layer"][0]["data"]["values"];
  ASSERT_EQ(points.size(), 100u);
  EXPECT_FLOAT_EQ(points[0]["x"].get<float>(), -2.1f);
  EXPECT_FLOAT_EQ(points[99]["x"].get<float>(), 2.1f);
  EXPECT_FLOAT_EQ(points[0]["y"].get<float>(), 4.41f);
  EXPECT_EQ(spec["title"], "x²");
  EXPECT_EQ(spec["layer"][0]["encoding"]["y"]["scale"]["domain"].dump(), "[-1.0,4.0]");
}

TEST(PlotFunction, RefusesWhatIsNoFunctionOfEachPoint) {
  EXPECT_THROW(plot_function([](const torch::Tensor& x) { return x.sum(); }), Error);
  EXPECT_THROW(plot_function([](const torch::Tensor& x) { return x; }, {.min = 1, .max = 1}), Error);
  EXPECT_THROW(plot_function([](const torch::Tensor& x) { return x; }, {.points = 1}), Error);
}

}  // namespace
}  // namespace kindling
