#include "cli/program.hpp"

#include <csignal>

#include <gmock/gmock.h>

namespace kindling::test {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Run : public Program {
 protected:
  Json record(const std::string& run) const { return parse_json(read_text(in(run) / "run.json"), "run.json"); }

  std::vector<Json> events(const std::string& run) const {
    std::vector<Json> all;
    std::istringstream text(read_text(in(run) / "events.jsonl"));
    for (std::string line; std::getline(text, line);) all.push_back(parse_json(line, "events.jsonl"));
    return all;
  }

  void wait_for(const fs::path& file) const {
    std::error_code missing;
    for (int tries = 0; tries < 600 && !fs::exists(file, missing); ++tries) ::usleep(100'000);
  }

  /// Until a resumed training is under way.
  void wait_for_resume(const std::string& run) const {
    const auto resumed = [&] {
      return read_text(in(run) / "events.jsonl").find(R"("event":"resume")") != std::string::npos;
    };
    for (int tries = 0; tries < 600 && !resumed(); ++tries) ::usleep(100'000);
  }

  /// A training without an end.
  pid_t start_long(const std::string& run) const {
    auto args = quick({"-o", run});
    args[6] = "100000";
    return start(args);
  }
};

TEST_F(Run, StoppedByCtrlCIsResumableAndEndsAsTheUnbrokenOne) {
  make_photos("photos", 8);
  ASSERT_EQ(run(quick({"--epochs", "4", "-o", "unbroken"})).code, 2) << "a flag given twice";
  auto args = quick({"-o", "unbroken"});
  args[6] = "4";
  ASSERT_EQ(run(args).code, 0);
  args.back() = "stopped";
  const pid_t child = start(args);
  wait_for(in("stopped/history.csv"));
  ::kill(child, SIGINT);
  const Result stopped = finish(child);
  if (stopped.code == 0) GTEST_SKIP() << "the training ended before it could be stopped";
  ASSERT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_THAT(stopped.out, HasSubstr("kindling train --resume stopped"));
  EXPECT_EQ(record("stopped")["status"], "interrupted");
  const Result resumed = run({"train", "--resume", "stopped"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, HasSubstr("going on from stopped/checkpoints/"));
  EXPECT_EQ(record("stopped")["status"], "done");
  EXPECT_EQ(record("stopped")["resumed"], 1);
  EXPECT_EQ(record("stopped")["device"], "cpu");
  EXPECT_TRUE(read_text(in("stopped/model.safetensors")) == read_text(in("unbroken/model.safetensors")));
  const Result again = run({"train", "--resume", "stopped", "--json"});
  EXPECT_EQ(again.code, 0);
  EXPECT_EQ(again.lines().back()["event"], "done");
}

TEST_F(Run, TwoProcessesOnOneRunIsAClearErrorAndALockOfADeadOneIsTakenOver) {
  make_photos("photos", 8);
  const pid_t child = start_long("run");
  wait_for(in("run/history.csv"));
  // A second program would write over the first one's captured output: it runs in the same folder all the same.
  const Result second = run({"train", "--resume", "run"});
  EXPECT_EQ(second.code, 2);
  EXPECT_THAT(second.err, HasSubstr("another process works on this run"));
  EXPECT_THAT(second.err, HasSubstr(fmt::format("process: {}", child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(fs::exists(in("run/lock"))) << "it died with its lock";
  EXPECT_EQ(record("run")["status"], "running");
  const pid_t next = start({"train", "--resume", "run"});
  wait_for_resume("run");
  ::kill(next, SIGINT);
  EXPECT_EQ(finish(next).code, 130);
  EXPECT_FALSE(fs::exists(in("run/lock")));
}

TEST_F(Run, GoesOnFromTheCheckpointBeforeADamagedOneAndSaysSo) {
  make_photos("photos", 8);
  const pid_t child = start_long("run");
  wait_for(in("run/checkpoints/000003.safetensors"));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  fs::path newest, before;
  for (const auto& entry : fs::directory_iterator(in("run/checkpoints"))) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with("0")) continue;
    if (entry.path() > newest) before = std::exchange(newest, entry.path());
    else if (entry.path() > before) before = entry.path();
  }
  ASSERT_FALSE(before.empty());
  fs::resize_file(newest, fs::file_size(newest) - 1000);
  const pid_t next = start({"train", "--resume", "run"});
  wait_for_resume("run");
  ::kill(next, SIGINT);
  const Result r = finish(next);
  EXPECT_EQ(r.code, 130) << r.err;
  EXPECT_THAT(r.err, HasSubstr(fmt::format("warning: run/checkpoints/{}: the checkpoint is damaged",
                                           newest.filename().string())));
  EXPECT_THAT(r.err, HasSubstr("an older one is used"));
  EXPECT_THAT(r.out, HasSubstr("going on from run/checkpoints/" + before.filename().string()));
}

TEST_F(Run, LikeRepeatsAnotherWithItsSettingsAndFlagsChangeThem) {
  make_photos("photos", 6);
  ASSERT_EQ(run(quick({"-o", "first", "--lr", "0.005", "--seed", "3"})).code, 0);
  const Result r = run({"train", "--like", "first", "-o", "second"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(record("second")["settings"], record("first")["settings"]);
  EXPECT_EQ(record("second")["data"]["sha256"], record("first")["data"]["sha256"]);
  EXPECT_TRUE(read_text(in("second/model.safetensors")) == read_text(in("first/model.safetensors")));
  ASSERT_EQ(run({"train", "--like", "first", "--epochs", "2", "-o", "third"}).code, 0);
  EXPECT_EQ(record("third")["settings"]["epochs"], 2);
  EXPECT_EQ(record("third")["settings"]["lr"], 0.005);
}

TEST_F(Run, ThatFailsSaysSoInRunJson) {
  make_photos("photos", 6);
  const Result r = run(quick({"--lr", "1e30", "-o", "run"}));
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, HasSubstr("the training has run away"));
  EXPECT_THAT(r.err, HasSubstr("item "));
  EXPECT_THAT(r.err, HasSubstr("a smaller learning rate (--lr)"));
  const Json failed = record("run");
  EXPECT_EQ(failed["status"], "failed");
  EXPECT_EQ(failed["error"]["code"], "usage");
  EXPECT_THAT(failed["error"]["message"].get<std::string>(), HasSubstr("run away"));
  EXPECT_EQ(events("run").back()["event"], "failed");
}

TEST_F(Run, StopsWhenItsTimeIsUpAndSaysWhatTheModelCanDo) {
  make_photos("photos", 8);
  auto args = quick({"--json", "--max-minutes", "0.02", "-o", "run"});
  args[6] = "100000";
  const Result r = run(args);
  ASSERT_EQ(r.code, 0) << r.err;
  const Json done = r.lines().back();
  EXPECT_EQ(done["event"], "done");
  EXPECT_EQ(done["stopped"], "max_minutes");
  EXPECT_TRUE(done["metrics"].contains("valid_loss"));
  EXPECT_EQ(record("run")["status"], "stopped");
  EXPECT_EQ(run({"predict", "run", "photos/cat", "--quiet"}).code, 0);
}

TEST_F(Run, StopsWithoutPatienceAndKeepsTheBestEpoch) {
  make_photos("photos", 8);
  auto args = quick({"--json", "--patience", "2", "--lr", "0.03", "-o", "run"});
  args[6] = "40";
  const Result r = run(args);
  ASSERT_EQ(r.code, 0) << r.err;
  double best = 1e9;
  int epochs = 0;
  for (const Json& e : events("run")) {
    if (e["event"] != "epoch") continue;
    ++epochs;
    best = std::min(best, e["valid_loss"].get<double>());
  }
  EXPECT_LT(epochs, 40);
  EXPECT_EQ(r.lines().back()["metrics"]["valid_loss"].get<double>(), best);
}

TEST_F(Run, ThatGoesOnKeepsItsSettingsAndItsData) {
  make_photos("photos", 8);
  const pid_t child = start_long("run");
  wait_for(in("run/history.csv"));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const Result flag = run({"train", "--resume", "run", "--lr", "0.1"});
  EXPECT_EQ(flag.code, 2);
  EXPECT_THAT(flag.err, HasSubstr("a run that goes on keeps its settings\n  flag: --lr\ntry: leave the flag out"));
  EXPECT_EQ(run({"train", "--resume", "run", "photos"}).code, 2);
  EXPECT_EQ(run({"train", "--resume", "run", "--like", "run"}).code, 2);
  fs::remove(fs::directory_iterator(in("photos/cat"))->path());
  const Result data = run({"train", "--resume", "run"});
  EXPECT_EQ(data.code, 3);
  EXPECT_THAT(data.err, HasSubstr("the photos are not those that the run began with"));
  EXPECT_THAT(data.err, HasSubstr("photos then: 16\n  photos now: 15"));
  const Result nothing = run({"train", "--resume", "photos"});
  EXPECT_EQ(nothing.code, 1);
  EXPECT_THAT(nothing.err, HasSubstr("there is no run here"));
  EXPECT_EQ(run({"train"}).code, 2);
}

TEST_F(Run, EventsGoOnBehindTheLastWholeLine) {
  make_photos("photos", 8);
  const pid_t child = start_long("run");
  wait_for(in("run/history.csv"));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const std::string before = read_text(in("run/events.jsonl"));
  write_file(in("run/events.jsonl"), before + R"({"event": "epo)");
  const pid_t next = start({"train", "--resume", "run"});
  wait_for_resume("run");
  ::kill(next, SIGINT);
  EXPECT_EQ(finish(next).code, 130);
  EXPECT_THAT(read_text(in("run/events.jsonl")), StartsWith(before));
  bool resumed = false;
  for (const Json& e : events("run")) resumed = resumed || e["event"] == "resume";
  EXPECT_TRUE(resumed);
}

}  // namespace kindling::test
