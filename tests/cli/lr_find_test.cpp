#include "cli/program.hpp"

#include <gmock/gmock.h>

namespace kindling::test {

using ::testing::HasSubstr;
using ::testing::Not;

class LrFind : public Program {
 protected:
  static std::vector<std::string> quick_find(std::vector<std::string> more) {
    std::vector<std::string> args = {"lr-find", "photos", "--arch", "squeezenet1_1", "--no-pretrained", "--size",
                                     "64",      "--bs",   "4",      "--num-it",      "40"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
};

TEST_F(LrFind, TellsFourRatesAndDrawsTheCurve) {
  make_photos("photos", 8);
  const Result r = run(quick_find({"-o", "curve.json"}));
  ASSERT_EQ(r.code, 0) << r.err << r.out;
  for (const char* rule : {"valley", "steep", "minimum", "slide"}) EXPECT_THAT(r.out, HasSubstr(rule));
  EXPECT_THAT(r.out, HasSubstr("curve  curve.json"));
  EXPECT_THAT(r.out, Not(HasSubstr("epoch"))) << "no table of a training";
  const Json spec = parse_json(read_text(in("curve.json")), "curve.json");
  EXPECT_THAT(spec.at("$schema").get<std::string>(), HasSubstr("vega-lite"));
  EXPECT_FALSE(fs::exists(in("runs")));
  EXPECT_FALSE(fs::exists(in("lr_find.html")));
}

TEST_F(LrFind, JsonIsOneObjectWithTheCurve) {
  make_photos("photos", 8);
  const Result r = run(quick_find({"--json"}));
  ASSERT_EQ(r.code, 0) << r.err << r.out;
  ASSERT_EQ(r.lines().size(), 1u);
  const Json found = r.lines()[0];
  EXPECT_EQ(found["figure"], "lr_find.html");
  ASSERT_EQ(found["lrs"].size(), found["losses"].size());
  EXPECT_GT(found["lrs"].size(), 5u);
  EXPECT_DOUBLE_EQ(found["lrs"][0].get<double>(), 1e-7);
  for (const char* rule : {"valley", "steep", "minimum", "slide"}) EXPECT_TRUE(found.contains(rule));
  EXPECT_THAT(read_text(in("lr_find.html")), HasSubstr("<html"));
}

TEST_F(LrFind, WrongFlagsAreUsageErrorsBeforeAnyPhotoIsRead) {
  for (const std::vector<std::string>& flags : std::vector<std::vector<std::string>>{
           {"-o", "curve.png"}, {"--start-lr", "1", "--end-lr", "0.1"}, {"--num-it", "3"}, {"--arch", "resnet35"}}) {
    std::vector<std::string> args = {"lr-find", "nowhere"};
    args.insert(args.end(), flags.begin(), flags.end());
    const Result r = run(args);
    EXPECT_EQ(r.code, 2) << flags.front() << r.err;
    EXPECT_FALSE(fs::exists(in("lr_find.html")));
  }
}

}  // namespace kindling::test
