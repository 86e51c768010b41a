// kindling's side of bench/optimizer/run: times optimizer steps over parameters whose shapes come on standard
// input, one a line ("64 3 7 7"). Prints one JSON object on a line.
//
//   optimizer_bench OPTIMIZER RUNS STEPS < shapes
#include <kindling/core/error.hpp>
#include <kindling/train/optimizer.hpp>

#include "measure.hpp"

#include <algorithm>
#include <iostream>
#include <sstream>

#include <torch/utils.h>

using namespace kindling;

namespace {

std::vector<Param> params_from(std::istream& in) {
  std::vector<Param> params;
  for (std::string line; std::getline(in, line);) {
    std::istringstream numbers(line);
    std::vector<std::int64_t> shape;
    for (std::int64_t n; numbers >> n;) shape.push_back(n);
    params.push_back({.tensor = torch::randn(shape).requires_grad_(), .do_wd = shape.size() > 1});
    params.back().tensor.mutable_grad() = torch::randn(shape);
  }
  return params;
}

OptFunc opt_func_of(const std::string& name) {
  if (name == "Adam") return Adam();
  if (name == "SGD") return SGD({.mom = 0.9});
  if (name == "RMSProp") return RMSProp();
  if (name == "RAdam") return RAdam();
  if (name == "QHAdam") return QHAdam();
  if (name == "ranger") return ranger();
  if (name == "Larc") return Larc();
  if (name == "Lamb") return Lamb();
  throw Error(ErrorCode::usage, "the benchmark does not know this optimizer", {{"name", name}});
}

/// Seconds a step, one number a run.
std::vector<double> time_steps(Optimizer& opt, int runs, int steps) {
  std::vector<double> seconds;
  for (int run = -1; run < runs; ++run) {
    const auto start = bench::Clock::now();
    for (int i = 0; i < steps; ++i) opt.step();
    // The first run makes the state.
    if (run >= 0) seconds.push_back(bench::seconds_since(start) / steps);
  }
  return seconds;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::cerr << "usage: optimizer_bench OPTIMIZER RUNS STEPS < shapes\n";
    return 2;
  }
  torch::set_num_threads(2);
  auto opt = opt_func_of(argv[1])({params_from(std::cin)});
  std::vector<double> seconds = time_steps(*opt, std::stoi(argv[2]), std::stoi(argv[3]));
  std::sort(seconds.begin(), seconds.end());
  std::cout << Json{{"optimizer", argv[1]}, {"step_seconds", seconds[seconds.size() / 2]}, {"all", seconds}}.dump()
            << "\n";
  return 0;
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
