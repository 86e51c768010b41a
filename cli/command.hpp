#pragma once
/// The program's commands: each adds itself with its flags, and is run when the command line names it.

#include <cstdint>
#include <functional>
#include <string>

#include <CLI/CLI.hpp>
#include <c10/core/Device.h>

namespace kindling::cli {

/// Flags that every command has.
struct CommonOptions {
  bool json = false;
  bool quiet = false;
  int threads = 0;  ///< 0: one a core
  std::string device = "auto";
  std::uint64_t seed = 42;
};

void add_common_options(CLI::App& app, CommonOptions& options);
/// Gives torch the wanted number of threads. Throws `unsupported` for a device that is not there.
void apply(const CommonOptions& options);
/// The device of --device; "auto" is `default_device()`.
c10::Device device_of(const CommonOptions& options);
/// The same for a small net on so few rows, whose "auto" is the CPU: its steps end there before a GPU has begun them (an epoch of
/// Adult 0.5 s and 1.2 s, of ml-latest-small 1.0 s and 1.5 s, on 16 cores and an H200).
c10::Device small_net_device(const CommonOptions& options, int bs);
/// One thread for the steps of a small net on so few rows, where nobody asks for more: two take as long (an epoch of Adult 0.41 s
/// and 0.42 s, of ml-latest-small 0.59 s and 0.65 s), and wait for each other where another program wants a core.
void spare_threads(const CommonOptions& options, int bs);
/// Throws `unsupported` for any device but the CPU, for commands that do all their work there.
void demand_cpu(const CommonOptions& options, const std::string& command);

/// A command of the program; `run` gives the exit code or throws an `Error`.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

Command add_look(CLI::App& program);
Command add_doctor(CLI::App& program);
Command add_train(CLI::App& program);
Command add_lr_find(CLI::App& program);
Command add_predict(CLI::App& program);
Command add_info(CLI::App& program);
Command add_weights(CLI::App& program);
Command add_models(CLI::App& program);
Command add_collect(CLI::App& program);
Command add_data(CLI::App& program);

}  // namespace kindling::cli
