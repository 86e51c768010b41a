#include "cli/program.hpp"

#include <gmock/gmock.h>

namespace kindling::test {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// One small model for all tests of the file; each works on a copy.
class UseModel : public Program {
 protected:
  static void SetUpTestSuite() {
    model_ = new Model;
    model_->make_photos("photos", 6);
    const Result r = model_->run(quick({"--quiet", "-o", "run"}));
    ASSERT_EQ(r.code, 0) << r.err;
  }
  static void TearDownTestSuite() { delete model_; }
  void SetUp() override {
    for (const char* name : {"photos", "run"})
      fs::copy(model_->in(name), in(name), fs::copy_options::recursive);
  }

 private:
  struct Model : Program {
    using Program::in;
    using Program::make_photos;
    using Program::run;
    void TestBody() override {}
  };
  static inline Model* model_ = nullptr;
};

TEST_F(UseModel, PredictGoesOnAfterAFileThatCannotBeRead) {
  write_file(in("page.jpg"), std::string_view("<html>404</html>"));
  const std::string photo = fs::directory_iterator(in("photos/cat"))->path().string();
  const Result r = run({"predict", "run/model.safetensors", photo, "page.jpg", "none.jpg", photo, "--json"});
  EXPECT_EQ(r.code, 3);
  const auto lines = r.lines();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0]["file"], photo);
  EXPECT_EQ(lines[1]["file"], "page.jpg");
  EXPECT_EQ(lines[1]["error"]["code"], "bad_image");
  EXPECT_EQ(lines[2]["error"]["code"], "not_found");
  EXPECT_EQ(lines[3].dump(), lines[0].dump());
}

TEST_F(UseModel, PredictSaysTheSameForOnePhotoAndForMany) {
  const std::string photo = fs::directory_iterator(in("photos/cat"))->path().string();
  const auto alone = run({"predict", "run", photo, "--json"}).lines().at(0);
  for (const Json& line : run({"predict", "run", "photos", "--json"}).lines()) {
    if (fs::equivalent(in(line["file"].get<std::string>()), photo)) {
      EXPECT_EQ(line["label"], alone["label"]);
      EXPECT_NEAR(line["probs"]["cat"].get<double>(), alone["probs"]["cat"].get<double>(), 1e-5);
    }
  }
}

TEST_F(UseModel, PredictPrintsAlignedTextAndCsv) {
  const Result text = run({"predict", "run", "photos/cat", "--top", "2"});
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out,
              ::testing::MatchesRegex("((cat|dog) +[0-9.]+ %  (cat|dog) +[0-9.]+ %  photos/cat/[^\n]+\n)+"));
  const Result csv = run({"predict", "run", "photos/cat", "--csv"});
  EXPECT_EQ(csv.code, 0);
  EXPECT_THAT(csv.out, StartsWith("file,label,probability,cat,dog\nphotos/cat/"));
}

TEST_F(UseModel, PredictRefusesAModelThatIsCutShortOrAltered) {
  Bytes bytes = read_file(in("run/model.safetensors"));
  write_file(in("short.safetensors"), std::span<const std::uint8_t>(bytes.data(), bytes.size() / 2));
  bytes[bytes.size() - 1] ^= 1;
  write_file(in("altered.safetensors"), std::span<const std::uint8_t>(bytes));
  for (const char* name : {"short.safetensors", "altered.safetensors"}) {
    for (const char* command : {"predict", "info"}) {
      std::vector<std::string> args = {command, name};
      if (args[0] == "predict") args.push_back("photos");
      const Result r = run(args);
      EXPECT_EQ(r.code, 3) << command << " " << name;
      EXPECT_THAT(r.err, StartsWith("error: ")) << command << " " << name;
      EXPECT_THAT(r.err, HasSubstr(name));
      EXPECT_EQ(r.out, "");
    }
  }
}

TEST_F(UseModel, InfoSaysWhatTheModelIs) {
  const Result text = run({"info", "run"});
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, HasSubstr("squeezenet1_1"));
  EXPECT_THAT(text.out, HasSubstr("classes  cat, dog"));
  EXPECT_THAT(text.out, HasSubstr("Resize"));
  const auto json = run({"info", "run", "--json"}).lines().at(0);
  EXPECT_EQ(json["kind"], "model");
  EXPECT_EQ(json["manifest"]["vocab"], Json({"cat", "dog"}));
}

TEST_F(UseModel, LookCountsAndDraws) {
  const Result text = run({"look", "photos", "-o", "sheet.png"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out,
              HasSubstr("photos: 12 photos of 2 classes; 10 train, 2 valid (20 % at random, seed 42)"));
  const Bytes sheet = read_file(in("sheet.png"));
  EXPECT_EQ(std::string(sheet.begin() + 1, sheet.begin() + 4), "PNG");
  const Result json = run({"look", "photos", "--json"});
  ASSERT_EQ(json.lines().size(), 1u);
  EXPECT_EQ(json.lines()[0]["photos"], 12);
  EXPECT_TRUE(fs::exists(in("look.png")));
}

TEST_F(UseModel, WeightsListNamesLicencesAndWhatIsCached) {
  const Result r = run({"weights", "list", "--json"});
  ASSERT_EQ(r.code, 0);
  bool found = false;
  for (const Json& entry : r.lines()) {
    EXPECT_FALSE(entry["licence"].get<std::string>().empty());
    EXPECT_FALSE(entry["cached"].get<bool>());
    found = found || entry["name"] == "efficientnet_lite0";
  }
  EXPECT_TRUE(found);
}

TEST_F(UseModel, WeightsOfOnesOwnAreAddedUnderAName) {
  const Result nameless = run({"weights", "add", "run/model.safetensors"});
  EXPECT_EQ(nameless.code, 2);
  EXPECT_THAT(nameless.err, HasSubstr("--name NAME --arch ARCH"));
  const Result added =
      run({"weights", "add", "run/model.safetensors", "--name", "mine", "--arch", "squeezenet1_1"});
  EXPECT_EQ(added.code, 0) << added.err;
  EXPECT_THAT(added.out, StartsWith("mine was added: "));
}

TEST_F(UseModel, WeightsThatDoNotFitAreRefusedAndLeaveNoRun) {
  run({"weights", "add", "run/model.safetensors", "--name", "mine", "--arch", "squeezenet1_1"});
  const Result unfit =
      run({"train", "photos", "--arch", "squeezenet1_1", "--weights", "mine", "--size", "64"});
  EXPECT_EQ(unfit.code, 3);
  EXPECT_THAT(unfit.err, HasSubstr("these weights do not fit the architecture"));
  EXPECT_FALSE(fs::exists(in("runs")));
}

}  // namespace kindling::test
