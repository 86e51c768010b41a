#include "cli/program.hpp"

#include <gmock/gmock.h>

namespace kindling::test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

class DoctorCommand : public Program {
 protected:
  /// Sixteen photos of each class in train/ and eight in valid/.
  DoctorCommand() {
    const fs::path photos = make_photos("all", 24);
    for (const std::string label : {"cat", "dog"}) {
      std::vector<fs::path> files;
      for (const auto& entry : fs::directory_iterator(photos / label)) files.push_back(entry.path());
      std::sort(files.begin(), files.end());
      for (std::size_t i = 0; i < files.size(); ++i) {
        const std::string split = i < 16 ? "train" : "valid";
        fs::create_directories(in("photos") / split / label);
        fs::rename(files[i], in("photos") / split / label / (std::to_string(i) + ".jpg"));
      }
    }
    fs::remove_all(in("all"));
  }

  void text(const std::string& name, std::string_view contents) const {
    fs::create_directories(in(name).parent_path());
    write_file(in(name), contents);
  }
  void copy(const std::string& from, const std::string& to) const {
    fs::create_directories(in(to).parent_path());
    fs::copy_file(in(from), in(to));
  }
  void add_faults() const {
    text("photos/train/cat/page.jpg", "<!DOCTYPE html><html></html>");
    copy("photos/train/cat/0.jpg", "photos/valid/cat/copy.jpg");
    copy("photos/train/cat/1.jpg", "photos/train/cat/copy.jpg");
    copy("photos/train/cat/2.jpg", "photos/train/dog/wrong.jpg");
  }

  /// Names of all files below a folder.
  std::vector<std::string> files(const std::string& folder) const {
    std::vector<std::string> names;
    if (!fs::exists(in(folder))) return names;
    for (const auto& entry : fs::recursive_directory_iterator(in(folder))) {
      if (entry.is_regular_file())
        names.push_back(entry.path().lexically_relative(in(folder)).generic_string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::vector<std::string> kinds(const Json& json) const {
    std::vector<std::string> all;
    for (const Json& finding : json["findings"]) all.push_back(finding["kind"]);
    return all;
  }
};

TEST_F(DoctorCommand, SaysThatNothingIsWrong) {
  const Result r = run({"doctor", "photos", "--strict"});
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.err, "");
  EXPECT_THAT(r.out, StartsWith("photos: 48 files; 32 train, 16 valid (the folders train/ and valid/)\n"
                                "classes: cat 24, dog 24\n"));
  EXPECT_THAT(r.out, HasSubstr("\nnothing wrong found in 48 photos\n"));
  EXPECT_THAT(r.out, Not(HasSubstr("error")));
  EXPECT_THAT(r.out, Not(HasSubstr("warning")));
}

TEST_F(DoctorCommand, NamesWhatIsWrongAnExampleAndWhatToDo) {
  add_faults();
  const Result r = run({"doctor", "photos"});
  EXPECT_EQ(r.code, 0) << "without --strict errors in the data are a result";
  EXPECT_EQ(r.err, "");
  EXPECT_THAT(r.out,
              HasSubstr("error    1 file is no picture\n"
                        "         train/cat/page.jpg: the file is no picture: it is a web page (HTML)\n"
                        "         try: download them again, or take them out"));
  EXPECT_THAT(r.out, HasSubstr("error    1 photo has two labels\n"
                               "         train/cat/2.jpg = train/dog/wrong.jpg\n"));
  EXPECT_THAT(r.out, HasSubstr("error    1 photo is in train and in valid\n"
                               "         train/cat/0.jpg = valid/cat/copy.jpg\n"));
  EXPECT_THAT(r.out, HasSubstr("warning  1 photo is there more than once\n"));
  EXPECT_THAT(r.out, HasSubstr("\n3 errors, 1 warning: 1 file is no picture; "));
  EXPECT_THAT(r.out, HasSubstr("kindling doctor photos --html health.html"));
  EXPECT_EQ(run({"doctor", "photos", "--strict"}).code, 3);
}

TEST_F(DoctorCommand, JsonIsOneObject) {
  add_faults();
  const Result r = run({"doctor", "photos", "--json"});
  EXPECT_EQ(r.code, 0);
  const auto lines = r.lines();
  ASSERT_EQ(lines.size(), 1u);
  const Json& json = lines[0];
  EXPECT_EQ(json["data"], "photos");
  EXPECT_EQ(json["files"], 52);
  EXPECT_EQ(json["photos"], 51);
  EXPECT_EQ(json["errors"], 3);
  EXPECT_EQ(json["warnings"], 1);
  EXPECT_THAT(kinds(json), ElementsAre("not_a_picture", "two_labels", "in_both_splits", "duplicate"));
  EXPECT_EQ(json["findings"][2]["cases"][0]["files"][1]["file"], "valid/cat/copy.jpg");
  EXPECT_EQ(json["findings"][2]["cases"][0]["files"][1]["split"], "valid");
  EXPECT_FALSE(json.contains("moved"));
}

TEST_F(DoctorCommand, QuietKeepsFindingsAndVerdict) {
  EXPECT_EQ(run({"doctor", "photos", "--quiet"}).out, "nothing wrong found in 48 photos\n");
  add_faults();
  EXPECT_THAT(run({"doctor", "photos", "--quiet"}).out, HasSubstr("3 errors, 1 warning: "));
}

TEST_F(DoctorCommand, ThePageEscapesNamesAndLabels) {
  copy("photos/train/cat/0.jpg", "photos/train/<script>alert(1)<!--/<b>&.jpg");
  const Result r = run({"doctor", "photos", "--html", "health.html"});
  EXPECT_EQ(r.code, 0);
  EXPECT_THAT(r.out, HasSubstr("page   health.html\n"));
  const std::string page = read_text(in("health.html"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("<b>&")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(1)&lt;!--"));
  EXPECT_THAT(page, HasSubstr("data:image/jpeg;base64,"));
}

TEST_F(DoctorCommand, ControlCharactersOfNamesAndLabelsDoNotReachTheTerminal) {
  copy("photos/train/cat/0.jpg", "photos/train/\x1b[31mred/\x1b]0;title\x07.jpg");
  const Result r = run({"doctor", "photos"});
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ((r.out + r.err).find('\x1b'), std::string::npos) << r.out;
  EXPECT_THAT(r.out, HasSubstr("\\x1b[31mred"));
}

TEST_F(DoctorCommand, BrokenFilesAndCopiesAreMovedAndBroughtBack) {
  add_faults();
  const auto before = files("photos");
  const Result moved = run({"doctor", "photos", "--move-to", "removed"});
  EXPECT_EQ(moved.code, 0) << moved.err;
  EXPECT_THAT(moved.out, HasSubstr("moved  3 files to removed\n       kindling doctor --undo removed\n"));
  EXPECT_THAT(files("removed"), UnorderedElementsAre("moved.csv", "train/cat/page.jpg", "train/cat/copy.jpg",
                                                     "valid/cat/copy.jpg"))
      << "the photo with two labels stays: which of them is right is not known";
  EXPECT_EQ(files("photos").size(), before.size() - 3);
  const std::string list = read_text(in("removed/moved.csv"));
  EXPECT_THAT(list, StartsWith("file,from,reason\n"));
  EXPECT_THAT(list, HasSubstr("valid/cat/copy.jpg," + fs::canonical(in("photos")).string() +
                              "/valid/cat/copy.jpg,copy of train/cat/0.jpg\n"));
  EXPECT_THAT(run({"doctor", "photos"}).out, HasSubstr("\n1 error: 1 photo has two labels\n"));

  const Result back = run({"doctor", "--undo", "removed"});
  EXPECT_EQ(back.code, 0) << back.err;
  EXPECT_EQ(back.out, "3 files are back\n");
  EXPECT_EQ(files("photos"), before);
  EXPECT_FALSE(fs::exists(in("removed")));
}

TEST_F(DoctorCommand, WhatIsMovedCanBeChosen) {
  add_faults();
  EXPECT_EQ(run({"doctor", "photos", "--move-to", "removed", "--move", "labels"}).code, 0);
  EXPECT_THAT(files("removed"), UnorderedElementsAre("moved.csv", "train/cat/2.jpg", "train/dog/wrong.jpg"));
  EXPECT_EQ(run({"doctor", "photos", "--move", "labels"}).code, 2);
  EXPECT_EQ(run({"doctor", "photos", "--move-to", "removed", "--move", "all"}).code, 2);
}

TEST_F(DoctorCommand, NothingIsMovedUnlessAsked) {
  add_faults();
  const auto before = files("photos");
  run({"doctor", "photos", "--html", "page.html"});
  EXPECT_EQ(files("photos"), before);
}

TEST_F(DoctorCommand, AMoveNeverOverwrites) {
  add_faults();
  text("removed/train/cat/page.jpg", "mine");
  const auto before = files("photos");
  const Result r = run({"doctor", "photos", "--move-to", "removed"});
  EXPECT_EQ(r.code, 3);
  EXPECT_THAT(r.err, HasSubstr("a file of this name is in the folder already"));
  EXPECT_EQ(files("photos"), before);
  EXPECT_EQ(read_text(in("removed/train/cat/page.jpg")), "mine");
}

TEST_F(DoctorCommand, AnUndoNeverOverwritesAndKeepsWhatItCouldNotBringBack) {
  text("photos/train/cat/page.jpg", "<html>");
  text("photos/train/dog/page.jpg", "<html></html>");
  EXPECT_EQ(run({"doctor", "photos", "--move-to", "removed"}).code, 0);
  text("photos/train/cat/page.jpg", "a new one");
  const Result r = run({"doctor", "--undo", "removed"});
  EXPECT_EQ(r.code, 3);
  EXPECT_THAT(r.out, HasSubstr("1 file is back"));
  EXPECT_THAT(r.err, HasSubstr("train/cat/page.jpg: another file lies where it came from"));
  EXPECT_EQ(read_text(in("photos/train/cat/page.jpg")), "a new one");
  EXPECT_THAT(files("removed"), UnorderedElementsAre("moved.csv", "train/cat/page.jpg"));
  fs::remove(in("photos/train/cat/page.jpg"));
  EXPECT_EQ(run({"doctor", "--undo", "removed"}).code, 0);
  EXPECT_EQ(read_text(in("photos/train/cat/page.jpg")), "<html>");
}

TEST_F(DoctorCommand, SeveralMovesToOneFolderAreAllBroughtBack) {
  text("photos/train/cat/page.jpg", "<html>");
  EXPECT_EQ(run({"doctor", "photos", "--move-to", "removed"}).code, 0);
  text("photos/train/dog/with, comma.jpg", "<html>");
  EXPECT_EQ(run({"doctor", "photos", "--move-to", "removed"}).code, 0);
  EXPECT_EQ(run({"doctor", "--undo", "removed"}).out, "2 files are back\n");
  EXPECT_TRUE(fs::exists(in("photos/train/dog/with, comma.jpg")));
}

TEST_F(DoctorCommand, AListThatNamesFilesElsewhereIsRefused) {
  text("removed/train/x.jpg", "content");
  for (const std::string line :
       {"../x.jpg,/tmp/x.jpg,r", "train/x.jpg,/tmp/other.jpg,r", "train/x.jpg,train/x.jpg,r",
        "train/x.jpg,/tmp/../train/x.jpg,r", "/etc/passwd,/etc/passwd,r"}) {
    text("removed/moved.csv", "file,from,reason\n" + line + "\n");
    const Result r = run({"doctor", "--undo", "removed"});
    EXPECT_EQ(r.code, 3) << line;
    EXPECT_THAT(r.err, HasSubstr("was not written by kindling")) << line;
  }
  EXPECT_TRUE(fs::exists(in("removed/train/x.jpg")));
}

TEST_F(DoctorCommand, FoldersThatCannotServeAreWrongUsage) {
  add_faults();
  for (const std::string folder : {"photos", "photos/removed", "./photos/train/../bad"}) {
    const Result r = run({"doctor", "photos", "--move-to", folder});
    EXPECT_EQ(r.code, 2) << folder;
    EXPECT_THAT(r.err, HasSubstr("they would be found there again")) << folder;
  }
  EXPECT_EQ(run({"doctor", "photos", "--move-to", "photos/.removed"}).code, 0)
      << "hidden folders are not read";
  EXPECT_EQ(run({"doctor", "photos", "--undo", "photos/.removed"}).code, 2);
  EXPECT_EQ(run({"doctor"}).code, 2);
  EXPECT_EQ(run({"doctor", "--undo", "nowhere"}).code, 1);
}

TEST_F(DoctorCommand, PhotosWithoutClassesAreCheckedToo) {
  for (int i = 0; i < 16; ++i)
    copy("photos/train/cat/" + std::to_string(i) + ".jpg", "flat/" + std::to_string(i) + ".jpg");
  copy("flat/3.jpg", "flat/copy.jpg");
  const Result r = run({"doctor", "flat", "--json"});
  EXPECT_EQ(r.code, 0) << r.out;
  EXPECT_THAT(kinds(r.lines().at(0)), ElementsAre("duplicate"));
}

TEST_F(DoctorCommand, TheSplitIsTheOneOfTraining) {
  const Result doctor = run({"doctor", "photos/train", "--valid-pct", "0.25", "--seed", "7", "--json"});
  const Result look = run({"look", "photos/train", "--valid-pct", "0.25", "--seed", "7", "--json"});
  EXPECT_EQ(doctor.lines().at(0)["split"], look.lines().at(0)["split"]);
  EXPECT_EQ(doctor.lines().at(0)["valid"], look.lines().at(0)["valid"]);
}

TEST_F(DoctorCommand, TrainWarnsOfWhatSpoilsItAndOnlyOfThat) {
  copy("photos/train/cat/0.jpg", "photos/valid/cat/copy.jpg");
  copy("photos/train/cat/1.jpg", "photos/train/cat/copy.jpg");
  const Result warned = run(quick({"-o", "one"}));
  EXPECT_EQ(warned.code, 0) << warned.err;
  EXPECT_EQ(warned.err,
            "warning: the data may spoil what is learnt:\n"
            "  1 photo is in train and in valid: train/cat/0.jpg = valid/cat/copy.jpg\n"
            "  look at them: kindling doctor photos\n");
  EXPECT_EQ(run(quick({"-o", "two", "--no-doctor"})).err, "");
  fs::remove(in("photos/valid/cat/copy.jpg"));
  EXPECT_EQ(run(quick({"-o", "three"})).err, "");
}

}  // namespace kindling::test
