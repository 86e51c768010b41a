#include "cli/program.hpp"

#include <csignal>

#include <gmock/gmock.h>
#include <sys/resource.h>

namespace kindling::test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class Train : public Program {};

TEST_F(Train, LeavesARunWhoseModelPredicts) {
  make_photos("photos", 8);
  const Result trained = run(quick({"--json"}));
  ASSERT_EQ(trained.code, 0) << trained.err << trained.out;
  const Json done = trained.lines().back();
  EXPECT_EQ(done["event"], "done");
  EXPECT_EQ(done["run"], "runs/photos-1");
  EXPECT_EQ(done["model"], "runs/photos-1/model.safetensors");
  EXPECT_TRUE(done["metrics"].contains("valid_loss"));
  EXPECT_TRUE(done["metrics"].contains("error_rate"));
  EXPECT_GT(done["seconds"].get<double>(), 0);

  const Json record = parse_json(read_text(in("runs/photos-1/run.json")), "run.json");
  EXPECT_EQ(record["status"], "done");
  EXPECT_EQ(record["settings"]["bs"], 4);
  EXPECT_EQ(record["data"]["classes"], Json({"cat", "dog"}));
  EXPECT_EQ(record["data"]["sha256"].get<std::string>().size(), 64u);
  EXPECT_THAT(read_text(in("runs/photos-1/history.csv")),
              StartsWith("epoch,train_loss,valid_loss,error_rate,time\n0,"));
  EXPECT_EQ(read_text(in("runs/photos-1/events.jsonl")), trained.out);

  const Result predicted = run({"predict", "runs/photos-1", "photos/cat", "--json"});
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  const auto lines = predicted.lines();
  ASSERT_EQ(lines.size(), 8u);
  for (const Json& line : lines) {
    EXPECT_NEAR(line["probs"]["cat"].get<double>() + line["probs"]["dog"].get<double>(), 1, 1e-5);
    EXPECT_EQ(line["label"], line["index"] == 0 ? "cat" : "dog");
  }
}

TEST_F(Train, NumbersItsRuns) {
  make_photos("photos", 5);
  fs::create_directories(in("runs/photos-7"));
  const Result r = run(quick({"--json", "--seed", "1"}));
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.lines().back()["run"], "runs/photos-8");
}

TEST_F(Train, GivesTheSameNumbersForTheSameSeed) {
  make_photos("photos", 6);
  const auto metrics = [&](const char* seed) {
    return run(quick({"--json", "--seed", seed})).lines().back()["metrics"].dump();
  };
  const std::string first = metrics("5");
  EXPECT_EQ(metrics("5"), first);
  EXPECT_NE(metrics("6"), first);
}

TEST_F(Train, NamesAndLeavesOutFilesThatAreNoPhotosAndClassesOfOne) {
  make_photos("photos", 6);
  write_file(in("photos/cat/page.jpg"), std::string_view("<html>404</html>"));
  fs::create_directories(in("photos/bird"));
  fs::copy_file(repository() / "examples/data/pets_mini_new/pug_168.jpg", in("photos/bird/only.jpg"));
  const Result r = run(quick({}));
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.err, HasSubstr("warning: 2 of 14 files are left out:\n  cat/page.jpg: "));
  EXPECT_THAT(r.err, HasSubstr("bird/only.jpg: the only photo of the class 'bird'"));
  EXPECT_THAT(r.out, HasSubstr("photos: 12 photos of 2 classes"));
  const Json record = parse_json(read_text(in("runs/photos-1/run.json")), "run.json");
  EXPECT_EQ(record["data"]["excluded"].size(), 2u);
  EXPECT_EQ(record["data"]["excluded"][0]["file"], "cat/page.jpg");
}

TEST_F(Train, PlainOutputIsTheCoursesTable) {
  make_photos("photos", 6);
  const Result r = run(quick({}));
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.out, HasSubstr("\nepoch     train_loss  valid_loss  error_rate  time\n0         "));
  EXPECT_THAT(r.out, HasSubstr("kindling predict runs/photos-1/model.safetensors PHOTO..."));
  EXPECT_EQ(r.out.find('\x1b'), std::string::npos);
}

TEST_F(Train, QuietPrintsNothing) {
  make_photos("photos", 6);
  const Result r = run(quick({"--quiet"}));
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.out, "");
  EXPECT_EQ(r.err, "");
}

TEST_F(Train, MetricsAreColumnsOfTheTableInTheirOrder) {
  make_photos("photos", 6);
  const Result r = run({"train", "--metrics", "accuracy,error_rate", "photos", "--arch", "squeezenet1_1",
                        "--no-pretrained", "--epochs", "1", "--size", "64", "--bs", "4", "-o", "run"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(read_text(in("run/history.csv")),
              StartsWith("epoch,train_loss,valid_loss,accuracy,error_rate,time\n0,"));
}

TEST_F(Train, FoldersTrainAndValidSplitTheData) {
  make_photos("all", 6);
  fs::create_directories(in("photos"));
  fs::rename(in("all"), in("photos/train"));
  make_photos("photos/val", 2);
  const Result r = run(quick({"--json"}));
  ASSERT_EQ(r.code, 0) << r.err;
  const Json record = parse_json(read_text(in("runs/photos-1/run.json")), "run.json");
  EXPECT_EQ(record["data"]["train"], 12);
  EXPECT_EQ(record["data"]["valid"], 4);
  EXPECT_EQ(record["data"]["split"], "the folders train/ and val/");

  const Result drawn = run(quick({"--json", "--valid-pct", "0.25"}));
  ASSERT_EQ(drawn.code, 0) << drawn.err;
  const Json drawn_record = parse_json(read_text(in("runs/photos-2/run.json")), "run.json");
  EXPECT_EQ(drawn_record["data"]["train"], 12);
  EXPECT_EQ(drawn_record["data"]["valid"], 4);
  EXPECT_EQ(drawn_record["data"]["split"], "25 % at random, seed 42");
  EXPECT_EQ(drawn_record["data"]["classes"], Json({"cat", "dog"}));
}

TEST_F(Train, LabelsComeFromNamesPatternsAndCsv) {
  make_photos("pets", 4);
  fs::create_directories(in("photos"));
  std::string csv = "file,label\r\n";
  for (const char* label : {"cat", "dog"}) {
    for (const auto& entry : fs::directory_iterator(in("pets") / label)) {
      const std::string name = entry.path().filename().string();
      fs::copy_file(entry.path(), in("photos") / name);
      csv += fmt::format("\"{}\",\"a \"\"{}\"\", so to say\"\r\n", name, label);
    }
  }
  write_file(in("labels.csv"), csv);
  const auto classes = [&](const std::string& label) {
    const Result r = run({"look", "photos", "--label", label, "--json"});
    EXPECT_EQ(r.code, 0) << r.err << r.out;
    std::vector<std::string> names;
    const Json found = r.lines().at(0)["classes"];
    for (const auto& [name, counts] : found.items()) names.push_back(name);
    return names;
  };
  EXPECT_THAT(classes("name-case"), ElementsAre("lower", "upper"));
  EXPECT_THAT(classes("name-case:cat,dog"), ElementsAre("cat", "dog"));
  EXPECT_THAT(classes("csv:labels.csv"), ElementsAre("a \"cat\", so to say", "a \"dog\", so to say"));
  EXPECT_THAT(classes("regex:^([A-Za-z])"), ::testing::Contains("A"));
}

TEST_F(Train, SeveralLabelsAPhotoComeFromAColumnWithADelimiter) {
  make_photos("photos", 5);
  std::string csv = "file,size,tags\n";
  int i = 0;
  for (const char* label : {"cat", "dog"}) {
    for (const auto& entry : fs::directory_iterator(in("photos") / label)) {
      const std::string tags = i % 2 ? std::string(label) + " furry" : label;
      csv += fmt::format("{}/{},{},{}\n", label, entry.path().filename().string(), i++, tags);
    }
  }
  write_file(in("labels.csv"), csv);
  const Result looked = run({"look", "photos", "--label", "csv:labels.csv:tags: ", "--json"});
  ASSERT_EQ(looked.code, 0) << looked.err << looked.out;
  std::vector<std::string> names;
  const Json classes = looked.lines().at(0)["classes"];
  for (const auto& [name, counts] : classes.items()) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("cat", "dog", "furry"));
  const Result trained = run(quick({"--label", "csv:labels.csv:tags: ", "--json", "-o", "run"}));
  ASSERT_EQ(trained.code, 0) << trained.err << trained.out;
  const Result said = run({"predict", "run", "photos/cat", "--json"});
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.lines().at(0)["probs"].size(), 3u);
  EXPECT_TRUE(said.lines().at(0)["labels"].is_array());
}

TEST_F(Train, AFullDiskIsSaidAndNothingHalfWrittenStays) {
  make_photos("photos", 6);
  // A limit on the size of files stands for the full disk: the first checkpoint is too large for it.
  struct rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const struct rlimit small{64 << 10, before.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  const pid_t child = start(quick({}));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_DFL);
  const Result r = finish(child);
  EXPECT_EQ(r.code, 1);
  EXPECT_THAT(
      r.err,
      HasSubstr("error: cannot write the file: File too large\n  path: runs/photos-1/checkpoints/000001.safetensors"));
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(in("runs/photos-1")))
    left.push_back(entry.path().filename());
  EXPECT_THAT(left, ::testing::UnorderedElementsAre("checkpoints", "events.jsonl", "history.csv", "run.json"));
  EXPECT_TRUE(fs::is_empty(in("runs/photos-1/checkpoints")));
  EXPECT_EQ(parse_json(read_text(in("runs/photos-1/run.json")), "run.json").at("status"), "failed");
}

TEST_F(Train, CtrlCEndsAtTheNextBatchAndKeepsWhatWasLearnt) {
  make_photos("photos", 10);
  auto args = quick({"--json"});
  args[6] = "100000";
  const pid_t child = start(args);
  const auto has_an_epoch = [&] {
    std::error_code missing;
    return fs::exists(in("runs/photos-1/history.csv"), missing);
  };
  for (int tries = 0; tries < 600 && !has_an_epoch(); ++tries) ::usleep(100'000);
  ::kill(child, SIGINT);
  const Result r = finish(child);
  EXPECT_EQ(r.code, 130) << r.err;
  EXPECT_EQ(r.lines().back()["event"], "interrupted");
  EXPECT_EQ(parse_json(read_text(in("runs/photos-1/run.json")), "run.json")["status"], "interrupted");
  EXPECT_EQ(run({"predict", "runs/photos-1", "photos/cat", "--quiet"}).code, 0);
}

}  // namespace kindling::test
