#include "cli/command.hpp"

#include <kindling/core/error.hpp>
#include <kindling/core/thread_pool.hpp>
#include <kindling/data/device.hpp>

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace kindling::cli {

namespace {

/// Rows, up to which a step of a small net is too short to be worth handing on.
constexpr int small_batch = 512;

}  // namespace

void add_common_options(CLI::App& app, CommonOptions& options) {
  const std::string group = "For every command";
  app.add_flag("--json", options.json, "print JSON, one object a line")->group(group);
  app.add_flag("--quiet", options.quiet, "print results, warnings and errors only")->group(group);
  app.add_option("--threads", options.threads, "threads to use; 0: one a core")
      ->check(CLI::Range(0, 1024))
      ->type_name("N")
      ->group(group);
  app.add_option("--device", options.device, "auto, cpu or cuda; auto: cuda where there is one")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->type_name("NAME")
      ->group(group);
  app.add_option("--seed", options.seed, "of everything random (42)")->type_name("N")->group(group);
}

void apply(const CommonOptions& options) {
  // Left alone torch takes all cores of the machine, also where a container grants fewer.
  const int threads = options.threads > 0 ? options.threads : hardware_threads();
  if (options.threads > 0 || threads < at::get_num_threads()) at::set_num_threads(threads);
  if (options.device == "cuda" && !torch::cuda::is_available()) {
    throw Error(ErrorCode::unsupported, "no CUDA device can be used", {{"device", options.device}},
                "leave --device out, or give --device cpu, to work on the CPU");
  }
}

c10::Device device_of(const CommonOptions& options) {
  return options.device == "auto" ? default_device() : c10::Device(options.device);
}

c10::Device small_net_device(const CommonOptions& options, int bs) {
  return options.device == "auto" && bs <= small_batch ? c10::kCPU : device_of(options);
}

void spare_threads(const CommonOptions& options, int bs) {
  if (options.threads == 0 && bs <= small_batch) at::set_num_threads(1);
}

void demand_cpu(const CommonOptions& options, const std::string& command) {
  if (options.device != "cuda") return;
  throw Error(ErrorCode::unsupported, command + " works on the CPU alone", {{"device", options.device}},
              "leave --device out");
}

}  // namespace kindling::cli
