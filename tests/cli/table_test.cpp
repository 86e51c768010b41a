#include "program.hpp"

#include <set>

#include <gmock/gmock.h>

namespace kindling::test {

using ::testing::HasSubstr;
using ::testing::Not;

namespace {

/// 200 rows; y is "yes" where size is large, with "copy" saying the same in other words where it is there.
std::string made_up(bool with_copy = false) {
  std::string text = with_copy ? "id,colour,size,note,copy,y\n" : "id,colour,size,note,y\n";
  for (int i = 0; i < 200; ++i) {
    const bool yes = (i * 7919) % 13 > 5;
    const char* colour = i % 3 == 0 ? "red" : i % 3 == 1 ? "green" : "blue";
    text += fmt::format("{},{},{},free text number {},{}{}\n", 1000 + i, colour,
                        i % 10 == 0 ? std::string() : fmt::format("{}", (yes ? 1 : -1) + 0.01 * (i % 50)), i,
                        with_copy ? (yes ? "true," : "false,") : "", yes ? "yes" : "no");
  }
  return text;
}

}  // namespace

class TableTask : public Program {
 protected:
  Result train(std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"train", "t.csv", "--target", "y", "--epochs", "2", "-o", "run"};
    args.insert(args.end(), more.begin(), more.end());
    return run(args);
  }
};

TEST_F(TableTask, TrainsAndSaysWhatItDecided) {
  write_file(in("t.csv"), made_up());
  const Result r = train();
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.out, HasSubstr("target   y (classes)"));
  EXPECT_THAT(r.out, HasSubstr("numbers  size"));
  EXPECT_THAT(r.out, HasSubstr("classes  colour"));
  EXPECT_THAT(r.out, HasSubstr("left out id: an identifier"));
  EXPECT_THAT(r.out, HasSubstr("size: 20 missing, filled with the training rows' median"));
  EXPECT_THAT(r.out, HasSubstr("most frequent class: accuracy"));
  EXPECT_THAT(r.out, HasSubstr("logistic regression: accuracy"));
  const Json record = parse_json(read_text(in("run/run.json")), "run.json");
  EXPECT_EQ(record.at("status"), "done");
  EXPECT_EQ(record.at("task"), "table");
  EXPECT_THAT(read_text(in("run/history.csv")), HasSubstr("epoch,train_loss,valid_loss,accuracy,time"));
}

TEST_F(TableTask, PredictsTablesAndRows) {
  write_file(in("t.csv"), made_up());
  ASSERT_EQ(train({"--arch", "fastai"}).code, 0);
  write_file(in("new.csv"), "size,colour\n1.2,red\n,never seen\n");
  const Result csv = run({"predict", "run", "new.csv"});
  ASSERT_EQ(csv.code, 0) << csv.err;
  EXPECT_THAT(csv.out, ::testing::StartsWith("y,probability,no,yes\n"));
  EXPECT_EQ(std::count(csv.out.begin(), csv.out.end(), '\n'), 3);
  const auto lines = run({"predict", "run", R"({"size": 1.2, "colour": "red"})", "--json"}).lines();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(csv.out, HasSubstr(lines[0].at("label").get<std::string>()));
  write_file(in("renamed.csv"), "size,color\n1.2,red\n");
  const Result renamed = run({"predict", "run", "renamed.csv"});
  EXPECT_EQ(renamed.code, 3);
  EXPECT_THAT(renamed.err, HasSubstr("the table has no column 'colour'"));
  EXPECT_THAT(renamed.err, HasSubstr("color"));
}

TEST_F(TableTask, TheModelFileGivesTheValidationFiguresAgain) {
  write_file(in("t.csv"), made_up());
  const auto lines = train({"--json"}).lines();
  const Json& done = lines.back();
  ASSERT_EQ(done.at("event"), "done");
  const Result r = run({"interpret", "run", "--json"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_GT(r.lines()[0].at("importance").at("size").get<double>(), 0);
  EXPECT_THAT(read_text(in("run/report.html")), HasSubstr("What the model looks at"));
}

TEST_F(TableTask, AColumnThatHoldsTheAnswerIsNamed) {
  write_file(in("t.csv"), made_up(true));
  const Result r = train();
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.err, HasSubstr("'copy' alone predicts the target"));
}

TEST_F(TableTask, ATargetMustBeNamedAndBeThere) {
  write_file(in("t.csv"), made_up());
  const Result none = run({"train", "t.csv"});
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("which column is to be predicted?"));
  const Result other = run({"train", "t.csv", "--target", "colours"});
  EXPECT_EQ(other.code, 3);
  EXPECT_THAT(other.err, HasSubstr("did you mean 'colour'?"));
  write_file(in("one.csv"), "a,y\n1,p\n2,p\n3,p\n");
  const Result one = run({"train", "one.csv", "--target", "y"});
  EXPECT_EQ(one.code, 3);
  EXPECT_THAT(one.err, HasSubstr("the target has only one value"));
}

TEST_F(TableTask, RowsWithoutTargetAndClassesSeenOnceAreCounted) {
  std::string text = made_up();
  text += "5000,red,1,x,\n5001,red,1,y,once\n";
  write_file(in("t.csv"), text);
  const Result r = train();
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.err, HasSubstr("1 of 202 rows have no y and are left out"));
}

TEST_F(TableTask, FilesThatCannotBeReadAreNamedWithTheLine) {
  const auto error_of = [&](const std::string& text) {
    write_file(in("bad.csv"), text);
    const Result r = run({"train", "bad.csv", "--target", "y"});
    EXPECT_EQ(r.code, 3) << text;
    return r.err;
  };
  EXPECT_THAT(error_of("a,y\n1,p\n2\n3,q\n"), HasSubstr("a row of the table has 1 where the first has 2 fields"));
  EXPECT_THAT(error_of("a,y\n1,p\n2,q,r\n"), HasSubstr("a row of the table has 3"));
  EXPECT_THAT(error_of("a,a,y\n1,2,p\n"), HasSubstr("two columns of the table have the same name"));
  EXPECT_THAT(error_of("a,y\n1,caf\xE9\n2,q\n"), HasSubstr("latin1"));
  EXPECT_THAT(error_of("y\np\nq\n"), HasSubstr("there is no column to learn from"));
  EXPECT_THAT(error_of(""), HasSubstr("the table is empty"));
}

TEST_F(TableTask, LookListsColumnsAndWhatIsOdd) {
  write_file(in("t.csv"), made_up());
  const Result r = run({"look", "t.csv"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.out, HasSubstr("t.csv: 200 rows, 5 columns"));
  EXPECT_THAT(r.out, HasSubstr("identifier: 'id' is different in every row"));
}

TEST_F(TableTask, GoesOnAfterItWasStopped) {
  write_file(in("t.csv"), made_up());
  ASSERT_EQ(train().code, 0);
  const Result stopped = run({"train", "t.csv", "--target", "y", "--epochs", "2", "-o", "short", "--max-minutes", "0.0000001"});
  ASSERT_EQ(stopped.code, 0) << stopped.err;
  EXPECT_THAT(stopped.out, HasSubstr("kindling train --resume short"));
  const Result again = run({"train", "--resume", "short"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("going on from"));
  const auto loss = [&](const char* run) {
    return parse_json(read_text(in(std::string(run) + "/run.json")), run).at("metrics").at("valid_loss").get<double>();
  };
  EXPECT_EQ(loss("run"), loss("short"));
  write_file(in("t.csv"), made_up(true));
  const Result like = run({"train", "--like", "run", "--epochs", "1", "-o", "third"});
  EXPECT_EQ(like.code, 0) << like.err;
}

TEST_F(TableTask, ARunIsNotGoneOnWithOtherRows) {
  write_file(in("t.csv"), made_up());
  ASSERT_EQ(train({"--max-minutes", "0.0000001"}).code, 0);
  write_file(in("t.csv"), made_up() + "9,red,1,new,yes\n");
  const Result r = run({"train", "--resume", "run"});
  EXPECT_EQ(r.code, 3);
  EXPECT_THAT(r.err, HasSubstr("the rows are not those that the run began with"));
}

TEST_F(TableTask, FoldsGiveOneModelAndWhatEachSaidOfUnseenRows) {
  write_file(in("t.csv"), made_up());
  const Result r = train({"--folds", "3"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.out, HasSubstr("fold 3 of 3"));
  const std::string rows = read_text(in("run/out_of_fold.csv"));
  EXPECT_THAT(rows, ::testing::StartsWith("row,no,yes\n"));
  EXPECT_EQ(std::count(rows.begin(), rows.end(), '\n'), 201);
  EXPECT_EQ(run({"predict", "run", R"({"size": 1.2, "colour": "red"})"}).code, 0);
}

TEST_F(TableTask, TheDoctorFindsWhatIsWrong) {
  std::string text = made_up(true);
  text += text.substr(text.find('\n') + 1, text.find('\n', text.find('\n') + 1) - text.find('\n'));
  write_file(in("t.csv"), text);
  write_file(in("test.csv"), "id,colour,note,copy\n1,red,a,true\n");
  const auto report = run({"doctor", "t.csv", "--target", "y", "--test", "test.csv", "--json"}).lines().at(0);
  std::set<std::string> found;
  for (const Json& f : report.at("findings"))
    found.insert(f.at("problem").get<std::string>() + " " + f.at("column").get<std::string>());
  EXPECT_TRUE(found.contains("leak copy")) << report;
  EXPECT_TRUE(found.contains("missing column size")) << report;
  EXPECT_TRUE(found.contains("repeated rows ")) << report;
  const Result strict = run({"doctor", "t.csv", "--strict"});
  EXPECT_EQ(strict.code, 3);
  EXPECT_THAT(strict.out, HasSubstr("verdict: "));
  std::string clean = "size,y\n";
  for (int i = 0; i < 40; ++i) clean += fmt::format("{},{}\n", (i * 7) % 40 + 0.5, i % 3 == 0 ? "a" : "b");
  write_file(in("clean.csv"), clean);
  EXPECT_THAT(run({"doctor", "clean.csv", "--target", "y"}).out, HasSubstr("nothing found"));
  write_file(in("tiny.csv"), "size,y\n1,a\n2,b\n");
  EXPECT_THAT(run({"doctor", "tiny.csv", "--target", "y"}).out, HasSubstr("too few rows for a split"));
}

TEST_F(TableTask, TheReportSaysWhereItIsWrong) {
  write_file(in("t.csv"), made_up());
  ASSERT_EQ(train().code, 0);
  ASSERT_EQ(run({"interpret", "run"}).code, 0);
  EXPECT_THAT(read_text(in("run/report.html")), HasSubstr("What it makes of single columns"));
}

}  // namespace kindling::test
