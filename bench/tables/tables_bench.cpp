// Tables: what bench/tables/run measures of kindling. Each command prints one JSON object.
//
//   tables_bench epoch ADULT.csv [runs]       an epoch of training and validation, batches of 64
//   tables_bench read TABLE.csv               from_csv with three procs, and the peak of memory
//   tables_bench predict ADULT.csv TABLE.csv  rows of a CSV through a model, and one row after another
//   tables_bench accuracy ADULT.csv SEEDS     fit_one_cycle(2), a seed after the other
//   tables_bench tabm ADULT.csv SEEDS         the same by TabM with its defaults
#include <kindling/serve/predictor.hpp>
#include <kindling/tabular.hpp>

#include "measure.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>

#include <torch/types.h>
#include <torch/utils.h>

using namespace kindling;
using namespace bench;

namespace {

TabularDataLoadersOptions course_options(std::uint64_t seed = 42) {
  return {.procs = {Categorify(), FillMissing(), Normalize()},
          .cat_names = {"workclass", "education", "marital-status", "occupation", "relationship", "race"},
          .cont_names = std::vector<std::string>{"age", "fnlwgt", "education-num"},
          .y_names = {"salary"},
          .seed = seed};
}

/// All columns that help, as `kindling train` would take them.
TabularDataLoadersOptions all_options(std::uint64_t seed) {
  auto o = course_options(seed);
  o.procs = tabm_procs();
  o.cat_names = {"workclass", "education", "marital-status", "occupation", "relationship", "race", "sex", "native-country"};
  o.cont_names = std::vector<std::string>{"age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"};
  o.bs = 256;
  o.val_bs = 1024;
  return o;
}

void epoch(const fs::path& csv, int runs) {
  auto learn = tabular_learner(TabularDataLoaders::from_csv(csv, course_options()),
                               {.metrics = {accuracy}, .listener = silent_listener()});
  std::vector<double> seconds;
  learn.fit(1);
  for (int r = 0; r < runs; ++r) {
    const auto start = Clock::now();
    learn.fit(1);
    seconds.push_back(seconds_since(start));
  }
  std::cout << Json{{"epoch_seconds", median(seconds)}, {"all", seconds}} << "\n";
}

void read(const fs::path& csv) {
  const auto start = Clock::now();
  const auto dls = TabularDataLoaders::from_csv(csv, course_options());
  std::cout << Json{{"seconds", seconds_since(start)}, {"rows", dls.train().n() + dls.valid().n()}, {"peak_mb", peak_mb()}} << "\n";
}

void predict(const fs::path& adult, const fs::path& csv) {
  auto learn = tabular_learner(TabularDataLoaders::from_csv(adult, course_options()), {.listener = silent_listener()});
  const fs::path file = fs::temp_directory_path() / "tables_bench.safetensors";
  learn.export_to(file);
  const Predictor predictor(file);
  std::vector<double> seconds, row_seconds;
  for (int r = 0; r < 6; ++r) {
    const auto start = Clock::now();
    predictor.outputs(rows_of(read_tabular(csv)));
    if (r > 0) seconds.push_back(seconds_since(start));
  }
  const auto table = std::make_shared<const Table>(read_tabular(adult));
  for (int i = 0; i < 220; ++i) {
    const auto start = Clock::now();
    predictor.predict(Row{table, i});
    if (i >= 20) row_seconds.push_back(seconds_since(start));
  }
  std::cout << Json{{"predict_seconds", median(seconds)}, {"row_seconds", median(row_seconds)}} << "\n";
  fs::remove(file);
}

void accuracies(const fs::path& csv, int seeds, bool tabm) {
  Json figures = Json::array(), seconds = Json::array();
  for (int seed = 0; seed < seeds; ++seed) {
    torch::manual_seed(seed);
    const auto start = Clock::now();
    if (tabm) {
      auto learn = tabm_learner(TabularDataLoaders::from_csv(csv, all_options(seed)), {.metrics = {accuracy}, .listener = silent_listener()});
      fit_tabm(learn, 8);
      seconds.push_back(seconds_since(start));
      figures.push_back(learn.validate());
    } else {
      auto learn = tabular_learner(TabularDataLoaders::from_csv(csv, course_options(seed)), {.metrics = {accuracy}, .listener = silent_listener()});
      learn.fit_one_cycle(2);
      seconds.push_back(seconds_since(start));
      figures.push_back(learn.validate());
    }
  }
  std::cout << Json{{"valid_loss_and_accuracy", figures}, {"seconds", seconds}} << "\n";
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string command = argc > 2 ? argv[1] : "";
  torch::set_num_threads(2);
  if (command == "epoch") return epoch(argv[2], argc > 3 ? std::atoi(argv[3]) : 5), 0;
  if (command == "read") return read(argv[2]), 0;
  if (command == "predict" && argc > 3) return predict(argv[2], argv[3]), 0;
  if (command == "accuracy" && argc > 3) return accuracies(argv[2], std::atoi(argv[3]), false), 0;
  if (command == "tabm" && argc > 3) return accuracies(argv[2], std::atoi(argv[3]), true), 0;
  std::cerr << "usage: tables_bench epoch|read|predict|accuracy|tabm CSV …\n";
  return 2;
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
