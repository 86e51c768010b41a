#include "cli/program.hpp"

#include <gmock/gmock.h>

namespace kindling::test {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Usage : public Program {};

TEST_F(Usage, VersionNamesTheProgram) {
  const Result r = run({"--version"});
  EXPECT_EQ(r.code, 0);
  EXPECT_THAT(r.out, StartsWith("kindling 0."));
}

TEST_F(Usage, WithoutACommandHelpIsShownAndTheExitCodeIsTwo) {
  const Result r = run({});
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.out, HasSubstr("kindling train photos/"));
}

TEST_F(Usage, EveryCommandHasHelpWithAnExampleAndTheCommonFlags) {
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{{"look"},
                                                                                       {"doctor"},
                                                                                       {"train"},
                                                                                       {"predict"},
                                                                                       {"info"},
                                                                                       {"weights", "list"},
                                                                                       {"weights", "get"},
                                                                                       {"weights", "add"},
                                                                                       {"models"},
                                                                                       {"collect"},
                                                                                       {"data", "list"},
                                                                                       {"data", "get"}}) {
    auto args = command;
    args.push_back("--help");
    const Result r = run(args);
    EXPECT_EQ(r.code, 0) << command.back();
    EXPECT_THAT(r.out, HasSubstr("Example")) << command.back();
    for (const char* flag : {"--json", "--quiet", "--threads", "--device", "--seed"})
      EXPECT_THAT(r.out, HasSubstr(flag)) << command.back();
  }
}

TEST_F(Usage, UnknownCommandNamesTheNearestOne) {
  const Result r = run({"tran", "photos"});
  EXPECT_EQ(r.code, 2);
  EXPECT_EQ(r.err, "error: there is no command 'tran' (did you mean 'train'?)\ntry: kindling --help\n");
  EXPECT_EQ(r.out, "");
}

TEST_F(Usage, UnknownFlagNamesTheNearestOne) {
  const Result r = run({"train", "photos", "--epoch", "3"});
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, StartsWith("error: there is no flag '--epoch' (did you mean '--epochs'?)\n"));
  EXPECT_THAT(r.err, HasSubstr("try: kindling train --help"));
}

TEST_F(Usage, UnknownSubcommandOfWeightsNamesTheNearestOne) {
  const Result r = run({"weights", "lost"});
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, HasSubstr("'lost' (did you mean 'list'?)"));
}

TEST_F(Usage, AMissingCommandOfWeightsIsSaid) {
  const Result r = run({"weights"});
  EXPECT_EQ(r.code, 2);
  EXPECT_EQ(r.err, "error: a command must follow: list, get, add\ntry: kindling weights --help\n");
}

TEST_F(Usage, WrongValuesOfFlagsAreWrongUsage) {
  make_photos("photos", 2);
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"train", "photos", "--epochs", "many"},
                                             {"train", "photos", "--epochs", "0"},
                                             {"train", "photos", "--bs", "1"},
                                             {"train", "photos", "--resize", "stretch"},
                                             {"train", "photos", "--metrics", "f1"},
                                             {"look", "photos", "--label", "grandparent"},
                                             {"look", "photos", "--label", "regex:("},
                                             {"train", "photos", "--device", "tpu"},
                                             {"train"},
                                             {"predict", "model.safetensors"}}) {
    const Result r = run(args);
    EXPECT_EQ(r.code, 2) << r.err;
    EXPECT_THAT(r.err, StartsWith("error: ")) << args.back();
  }
}

TEST_F(Usage, UnknownArchitectureIsWrongUsageAndNamesTheNearestOne) {
  make_photos("photos", 3);
  const Result r = run({"train", "photos", "--arch", "resnet19"});
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, HasSubstr("resnet1"));
}

TEST_F(Usage, ErrorsAreOneJsonObjectOnStandardOutputWithJson) {
  const Result r = run({"trian", "--json"});
  EXPECT_EQ(r.code, 2);
  EXPECT_EQ(r.err, "");
  const auto lines = r.lines();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["event"], "error");
  EXPECT_EQ(lines[0]["error"]["code"], "usage");
  EXPECT_EQ(lines[0]["error"]["hint"], "kindling --help");
}

TEST_F(Usage, ControlCharactersOfFileNamesDoNotReachTheTerminal) {
  const Result r = run({"look", "no\x1b[31mred"});
  EXPECT_NE(r.code, 0);
  EXPECT_EQ(r.err.find('\x1b'), std::string::npos) << r.err;
}

TEST_F(Usage, OutputThatCannotBeWrittenIsAFailure) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO);
    ::dup2(::open("/dev/null", O_WRONLY), STDERR_FILENO);
    ::execl(KINDLING_BINARY_DIR "/bin/kindling", "kindling", "models", nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

}  // namespace kindling::test
