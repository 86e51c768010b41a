#pragma once
/// The real program, run as a process in a folder of its own.

#include <kindling/core/files.hpp>
#include <kindling/core/json.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kindling::test {

struct Result {
  int code = -1;
  std::string out;
  std::string err;

  /// Standard output as one JSON value a line.
  std::vector<Json> lines() const {
    std::vector<Json> values;
    std::istringstream text(out);
    for (std::string line; std::getline(text, line);) values.push_back(parse_json(line, "standard output"));
    return values;
  }
};

/// Tests run the program in a fresh folder, with a home of its own (no weights in the cache) and no network.
class Program : public ::testing::Test {
 protected:
  Program() {
    static std::atomic<int> count{0};
    folder_ = fs::path(::testing::TempDir()) / fmt::format("kindling_cli_{}_{}", ::getpid(), count++);
    fs::create_directories(folder_);
  }
  ~Program() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  fs::path in(const std::string& name) const { return folder_ / name; }

  /// Starts the program with the folder as its working directory.
  pid_t start(const std::vector<std::string>& args) const {
    const pid_t child = ::fork();
    if (child != 0) return child;
    if (::chdir(folder_.c_str()) != 0) ::_exit(126);
    ::setenv("KINDLING_HOME", in(".home").c_str(), 1);
    ::setenv("KINDLING_OFFLINE", online_ ? "0" : "1", 1);
    ::unsetenv("KINDLING_MIRROR");
    redirect(".out", STDOUT_FILENO);
    redirect(".err", STDERR_FILENO);
    std::vector<char*> argv = {const_cast<char*>(program())};
    for (const std::string& a : args) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    ::execv(program(), argv.data());
    ::_exit(127);
  }

  Result finish(pid_t child) const {
    int status = 0;
    ::waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text(in(".out")),
            read_text(in(".err"))};
  }

  Result run(const std::vector<std::string>& args) const { return finish(start(args)); }

  /// `n` small photos of cats and as many of dogs, out of the repository's set: name/cat/*.jpg,
  /// name/dog/*.jpg.
  fs::path make_photos(const std::string& name, std::size_t n) const {
    for (const char* label : {"cat", "dog"}) {
      std::vector<fs::path> files;
      for (const auto& entry : fs::directory_iterator(repository() / "examples/data/pets_mini" / label))
        files.push_back(entry.path());
      std::sort(files.begin(), files.end());
      fs::create_directories(in(name) / label);
      for (std::size_t i = 0; i < n; ++i) fs::copy_file(files.at(i), in(name) / label / files[i].filename());
    }
    return in(name);
  }

  /// For tests with a server of their own.
  bool online_ = false;

  static fs::path repository() { return KINDLING_SOURCE_DIR; }

  /// Flags of a training that takes a second or two.
  static std::vector<std::string> quick(std::vector<std::string> more) {
    std::vector<std::string> args = {
        "train", "photos", "--arch", "squeezenet1_1", "--no-pretrained", "--epochs", "1", "--size",
        "64",    "--bs",   "4"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }

 private:
  static const char* program() { return KINDLING_BINARY_DIR "/bin/kindling"; }

  void redirect(const char* name, int to) const {
    const int file = ::open(in(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(file, to);
  }

  fs::path folder_;
};

}  // namespace kindling::test
