#pragma once
/// The example programs, run as processes in a folder of their own.

#include <kindling/core/files.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>

namespace kindling::testing {

struct Run {
  int code = -1;
  std::string out;  ///< standard output and error

  /// The number that stands behind these words; NaN where they are not there.
  double number_after(const std::string& words) const {
    const std::size_t at = out.rfind(words);
    return at == std::string::npos ? std::strtod("nan", nullptr)
                                   : std::strtod(out.c_str() + at + words.size(), nullptr);
  }
};

/// Runs an example of this build with the arguments (of the shell), its working directory the folder.
inline Run run_example(const std::string& name, const fs::path& folder, const std::string& arguments = "") {
  const std::string command =
      "cd '" + folder.string() + "' && '" KINDLING_BINARY_DIR "/bin/" + name + "' " + arguments + " 2>&1";
  Run run;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return run;
  std::array<char, 4096> block;
  while (const std::size_t n = std::fread(block.data(), 1, block.size(), pipe)) run.out.append(block.data(), n);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) run.code = WEXITSTATUS(status);
  return run;
}

/// The shared data sets, where they are.
inline fs::path shared_data() {
  const char* folder = std::getenv("KINDLING_SHARED_DATA");
  return folder != nullptr ? fs::path(folder) : fs::path(KINDLING_SOURCE_DIR) / "../shared/data";
}

/// Unpacks the threes and sevens into a folder; their place, or nothing without the data set.
inline fs::path unpack_mnist_sample(const fs::path& folder) {
  const fs::path archive = shared_data() / "mnist_sample" / "mnist_sample.tgz";
  if (!fs::exists(archive)) return {};
  const std::string command = "tar xzf '" + archive.string() + "' -C '" + folder.string() + "'";
  return std::system(command.c_str()) == 0 ? folder / "mnist_sample" : fs::path();
}

}  // namespace kindling::testing
