#include <kindling/core/error.hpp>
#include <kindling/core/files.hpp>

#include "cli/command.hpp"
#include "cli/output.hpp"
#include "cli/rating_task.hpp"
#include "cli/table_task.hpp"
#include "cli/task.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <new>
#include <string_view>
#include <vector>

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <malloc.h>

namespace kindling::cli {

namespace {

/// Large blocks stay with the process: each training step asks for the same ones again, and getting them
/// from the kernel anew costs a page fault for every 4 kB. An epoch of Lite0 at 192 pixels in batches of 32
/// so takes 8 to 12 % less CPU time (0.5 instead of 1.2 million faults), for a quarter more memory.
void tune_allocator() {
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  ::mallopt(M_TOP_PAD, 64 << 20);
}

constexpr const char* about = R"(kindling trains and uses models for your own photos, on your own machine.)";

constexpr const char* examples = R"(Examples:
  kindling look photos/                            what is in the folder? writes look.png
  kindling doctor photos/                          is anything wrong with it?
  kindling train photos/ -o runs/first             one folder of photos for each class
  kindling predict runs/first/model.safetensors new/*.jpg

kindling COMMAND --help explains a command.)";

bool asks_for_json(int argc, char** argv) {
  return std::any_of(argv + 1, argv + argc, [](const char* a) { return std::string_view(a) == "--json"; });
}

/// The command that was named last: `weights add` rather than `weights`.
const CLI::App& innermost(const CLI::App& app) {
  const auto named = app.get_subcommands();
  return named.empty() ? app : innermost(*named.back());
}

std::string full_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : full_name(*app.get_parent()) + " " + app.get_name();
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

/// CLI11's errors say what is wrong; this adds what was meant and where the help is.
Error usage_error(const CLI::ParseError& e, const CLI::App& program) {
  const CLI::App& command = innermost(program);
  std::string message = e.what();
  const auto extras = program.remaining(true);
  if (!extras.empty()) {
    const std::string& first = extras.front();
    const bool is_flag = first.starts_with("-");
    const auto known = is_flag ? flag_names(command) : command_names(command);
    const char* kind = is_flag ? "flag" : known.empty() ? "place for the argument" : "command";
    message = fmt::format("there is no {} '{}'{}", kind, first,
                          did_you_mean(first.substr(0, first.find('=')), known));
  }
  if (extras.empty() && dynamic_cast<const CLI::RequiredError*>(&e) != nullptr &&
      !command_names(command).empty())
    message = fmt::format("a command must follow: {}", fmt::join(command_names(command), ", "));
  return Error(ErrorCode::usage, message, {}, full_name(command) + " --help");
}

void check_command(int argc, char** argv, const CLI::App& program) {
  if (argc < 2 || argv[1][0] == '-') return;
  const auto known = command_names(program);
  if (std::find(known.begin(), known.end(), argv[1]) != known.end()) return;
  throw Error(ErrorCode::usage,
              fmt::format("there is no command '{}'{}", argv[1], did_you_mean(argv[1], known)), {},
              "kindling --help");
}

/// Output that could not be written is a failure of the command, also where only the last line was lost.
void check_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw system_error(errno, "write the output", "standard output");
}

int run(int argc, char** argv) {
  CLI::App program(about, "kindling");
  program.set_version_flag("--version", "kindling " KINDLING_VERSION);
  program.footer(examples);
  program.require_subcommand(1);
  // What a command asks of a table is not what it asks of photos.
  const Task task = task_of(argc, argv);
  const auto for_task = [&](auto photos, auto table, auto ratings) {
    return task == Task::table ? table(program) : task == Task::ratings ? ratings(program) : photos(program);
  };
  const std::vector<Command> commands = {add_collect(program),
                                         add_data(program),
                                         for_task(add_look, add_look_table, add_look_ratings),
                                         for_task(add_doctor, add_doctor_table, add_doctor_ratings),
                                         for_task(add_train, add_train_table, add_train_ratings),
                                         add_lr_find(program),
                                         for_task(add_interpret, add_interpret, add_interpret_ratings),
                                         add_predict(program),
                                         add_recommend(program),
                                         add_info(program),
                                         add_weights(program),
                                         add_models(program)};
  if (argc < 2) {
    put(program.help());
    return exit_code(ErrorCode::usage);
  }
  check_command(argc, argv, program);
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return program.exit(e);
  } catch (const CLI::ParseError& e) {
    throw usage_error(e, program);
  }
  for (const Command& command : commands) {
    if (!command.app->parsed()) continue;
    const int code = command.run();
    check_output();
    return code;
  }
  return 0;
}

Error out_of_memory() {
  return Error(ErrorCode::limit, "there is not enough memory", {}, "a smaller --bs or --size needs less");
}

int run_reporting_errors(int argc, char** argv) {
  const bool json = asks_for_json(argc, argv);
  const auto fail = [&](const Error& e) {
    put_error(e, json);
    return exit_code(e.code());
  };
  const auto defect = [&](const char* what) {
    std::string_view text(what);
    return fail(Error(ErrorCode::internal, std::string(text.substr(0, text.find('\n'))), {},
                      "this is a defect of kindling: please report it with the command line"));
  };
  try {
    return run(argc, argv);
  } catch (const Error& e) {
    return fail(e);
  } catch (const fs::filesystem_error& e) {
    return fail(system_error(e.code().value(), "read the folder", e.path1()));
  } catch (const std::bad_alloc&) {
    return fail(out_of_memory());
  } catch (const c10::Error& e) {
    const std::string_view text = e.what_without_backtrace();
    if (text.find("allocate memory") != std::string_view::npos) return fail(out_of_memory());
    return defect(e.what_without_backtrace());
  } catch (const std::exception& e) {
    return defect(e.what());
  }
}

}  // namespace

}  // namespace kindling::cli

int main(int argc, char** argv) {
  kindling::cli::tune_allocator();
  return kindling::cli::run_reporting_errors(argc, argv);
}
