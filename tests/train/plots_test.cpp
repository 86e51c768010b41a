#include <kindling/train/plots.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using ::testing::HasSubstr;

namespace {

Recorder small_record() {
  Recorder recorder;
  for (int i = 0; i < 8; ++i) {
    recorder.losses.push_back(2 - 0.125 * i);
    recorder.lrs.push_back(0.001 * (i + 1));
  }
  recorder.iters = {4, 8};
  recorder.epochs = {{.epoch = 0, .valid_loss = 1.75}, {.epoch = 1, .valid_loss = 1.25}};
  return recorder;
}

}  // namespace

TEST(Plots, LrFinderShowsTheCurveWithoutItsEndAndTheSuggestions) {
  LrCurve curve;
  for (int i = 0; i < 40; ++i) {
    curve.lrs.push_back(1e-6 * std::pow(1.5, i));
    curve.losses.push_back(i < 30 ? 3 - 0.0625 * i : 1.0 + 16 * (i - 29));
  }
  const std::string spec = plot_lr_find(suggestions_of(curve, 40)).spec().dump();
  EXPECT_THAT(spec, HasSubstr("\"log\""));
  for (const char* name : {"valley", "steep", "minimum", "slide"}) EXPECT_THAT(spec, HasSubstr(name));
  EXPECT_THAT(spec, HasSubstr("81.0")) << "the last point shown, at 34";
  EXPECT_THAT(spec, ::testing::Not(HasSubstr("161.0"))) << "a point of the end";
}

TEST(Plots, SuggestionsThatAreNotThereAreNotShown) {
  const std::string spec = plot_lr_find(suggestions_of({{1e-3, 1e-2}, {2, 1}}, 100)).spec().dump();
  EXPECT_THAT(spec, ::testing::Not(HasSubstr("valley")));
}

TEST(Plots, LossHasTheValidationAtTheEndOfEachEpoch) {
  const std::string both = plot_loss(small_record()).spec().dump();
  EXPECT_THAT(both, HasSubstr("1.375"));                      // step 5
  EXPECT_THAT(both, ::testing::Not(HasSubstr("1.875")));      // step 1
  EXPECT_THAT(both, HasSubstr("1.75"));
  EXPECT_THAT(plot_loss(small_record(), {.with_valid = false}).spec().dump(), ::testing::Not(HasSubstr("1.75,")));
}

TEST(Plots, SchedulesStandSideBySide) {
  Recorder recorder = small_record();
  EXPECT_THAT(plot_sched(recorder).spec().dump(), ::testing::Not(HasSubstr("mom")));
  recorder.moms.assign(8, 0.9);
  EXPECT_THAT(plot_sched(recorder).spec().dump(), HasSubstr("mom"));
}

}  // namespace kindling
