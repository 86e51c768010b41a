// A training that is killed at any moment and resumed ends as the one that was never killed, bit by bit.
//
//   scripts/kill-test 30        as many moments as asked for; a few without it

#include "cli/program.hpp"

#include <chrono>
#include <csignal>
#include <cstring>
#include <random>

#include <gmock/gmock.h>

namespace kindling::test {

namespace {

int number_from(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::atoi(text) : otherwise;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Bytes of each tensor of a safetensors file.
std::map<std::string, std::string> tensors_of(const fs::path& path) {
  const std::string file = read_text(path);
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  const Json header = parse_json(std::string_view(file).substr(8, length), path.string());
  std::map<std::string, std::string> tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const auto begin = entry["data_offsets"][0].get<std::size_t>(), end = entry["data_offsets"][1].get<std::size_t>();
    tensors[name] = file.substr(8 + length + begin, end - begin);
  }
  return tensors;
}

/// history.csv without the column of times.
std::string history_of(const fs::path& run) {
  std::istringstream text(read_text(run / "history.csv"));
  std::string out;
  for (std::string line; std::getline(text, line);) out += line.substr(0, line.rfind(',')) + "\n";
  return out;
}

fs::path newest_checkpoint(const fs::path& run) {
  fs::path newest;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints")) {
    if (entry.path().filename() != "best.safetensors" && entry.path().filename() > newest.filename())
      newest = entry.path();
  }
  return newest;
}

bool writes_a_checkpoint(const fs::path& run) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints", none)) {
    if (entry.path().extension() == ".tmp") return true;
  }
  return false;
}

}  // namespace

class Kill : public Program {
 protected:
  std::vector<std::string> training(const std::string& run) const {
    return {"train", "photos", "--arch", "squeezenet1_1", "--no-pretrained", "--epochs", "3",
            "--size", "64",    "--bs",   "4",             "--checkpoint-minutes", "0", "-o", run};
  }

  /// Kills the process at a moment: after so many seconds, or while it writes its nth checkpoint. False where it had
  /// ended before.
  bool kill_at(pid_t child, const fs::path& run, double seconds, int nth_write) {
    const auto start = std::chrono::steady_clock::now();
    bool was_writing = false;
    for (;;) {
      const bool writing = nth_write > 0 && writes_a_checkpoint(run);
      if (writing && !was_writing) --nth_write;
      was_writing = writing;
      if (nth_write == 0 ? (writing || seconds_since(start) >= seconds) : seconds_since(start) > 60) break;
      int status = 0;
      if (::waitpid(child, &status, WNOHANG) == child) return false;
      ::usleep(nth_write > 0 ? 50 : 1000);
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    return true;
  }

  Result resume_to_the_end(const std::string& name) {
    // Killed before there was a run: it is begun again, as a person would.
    if (!fs::exists(in(name) / "run.json")) {
      fs::remove_all(in(name));
      return run(training(name));
    }
    return run({"train", "--resume", name, "--checkpoint-minutes", "0"});
  }

  void expect_as_unbroken(const std::string& name) {
    EXPECT_TRUE(read_text(in(name) / "model.safetensors") == read_text(in("unbroken/model.safetensors")));
    EXPECT_EQ(history_of(in(name)), history_of(in("unbroken")));
    const auto ours = tensors_of(newest_checkpoint(in(name))), theirs = tensors_of(newest_checkpoint(in("unbroken")));
    ASSERT_EQ(ours.size(), theirs.size());
    for (const auto& [tensor, bytes] : theirs) {
      // These hold how long an epoch took.
      if (tensor == "recorder.history" || tensor == "recorder.epochs") continue;
      EXPECT_TRUE(ours.at(tensor) == bytes) << tensor;
    }
  }
};

TEST_F(Kill, AtAnyMomentThenResumedEqualsTheUnbrokenRun) {
  make_photos("photos", 10);
  const auto begin = std::chrono::steady_clock::now();
  const Result unbroken = run(training("unbroken"));
  ASSERT_EQ(unbroken.code, 0) << unbroken.err;
  const double whole = seconds_since(begin);
  const int moments = number_from("KINDLING_KILL_MOMENTS", 4);
  const int seed = number_from("KINDLING_KILL_SEED", 1);
  std::mt19937 random(static_cast<unsigned>(seed));
  int killed = 0, resumed = 0;
  for (int moment = 0; moment < moments; ++moment) {
    const std::string name = fmt::format("run{}", moment);
    const double seconds = std::uniform_real_distribution<>(0.1, 1)(random) * whole;
    // Every other one in a checkpoint's write.
    const int nth_write = moment % 2 == 0 ? 0 : std::uniform_int_distribution<>(1, 12)(random);
    SCOPED_TRACE(fmt::format("moment {} of seed {}: {:.2f} s of {:.2f} s, write {}", moment, seed, seconds, whole,
                             nth_write));
    killed += kill_at(start(training(name)), in(name), seconds, nth_write);
    // One in three is killed again while it goes on.
    if (moment % 3 == 2 && fs::exists(in(name) / "run.json"))
      killed += kill_at(start({"train", "--resume", name, "--checkpoint-minutes", "0"}), in(name), 0.7 * seconds, 0);
    const Result r = resume_to_the_end(name);
    ASSERT_EQ(r.code, 0) << r.err;
    resumed += r.out.find("going on from") != std::string::npos;
    expect_as_unbroken(name);
    fs::remove_all(in(name));
    if (HasFailure()) return;
  }
  fmt::print("{} kills at {} moments, {} went on from a checkpoint; the unbroken run took {:.1f} s\n", killed, moments,
             resumed, whole);
  EXPECT_GT(killed, 0);
}

}  // namespace kindling::test
