// Ratings: what bench/ratings/run measures of kindling. Each command prints one JSON object.
//
//   ratings_bench epoch RATINGS.csv [runs]    an epoch of training and validation, 50 factors, batches of 64
//   ratings_bench course RATINGS.csv SEEDS    the course's fine_tune(10) on MovieLens' sample, a seed after the other
//   ratings_bench read RATINGS.csv [BS]       from_csv, the seconds of 200 batches, and the peak of memory
#include <kindling/collab.hpp>

#include "measure.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <iostream>

#include <torch/types.h>
#include <torch/utils.h>

using namespace kindling;
using namespace bench;

namespace {

/// Of all threads: what a run costs where others work on the same cores.
double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

CollabDataLoadersOptions seeded(std::uint64_t seed) {
  return {.seed = seed, .listener = silent_listener()};
}

void epoch(const fs::path& csv, int runs) {
  auto learn = collab_learner(CollabDataLoaders::from_csv(csv, seeded(42)),
                              {.y_range = {{0.5, 5.5}}, .listener = silent_listener()});
  std::vector<double> seconds, cpu;
  learn.fit(1, 5e-3, {.wd = 0.1});
  for (int r = 0; r < runs; ++r) {
    const auto start = Clock::now();
    const double started = cpu_seconds();
    learn.fit(1, 5e-3, {.wd = 0.1});
    seconds.push_back(seconds_since(start));
    cpu.push_back(cpu_seconds() - started);
  }
  std::cout << Json{{"epoch_seconds", median(seconds)}, {"all", seconds}, {"cpu_seconds", median(cpu)}} << "\n";
}

void course(const fs::path& csv, int seeds) {
  Json figures = Json::array(), seconds = Json::array();
  std::vector<double> cpu;
  for (int seed = 0; seed < seeds; ++seed) {
    torch::manual_seed(seed);
    auto learn = collab_learner(CollabDataLoaders::from_csv(csv, seeded(seed)),
                                {.y_range = {{0.5, 5.5}}, .listener = silent_listener()});
    const auto start = Clock::now();
    const double started = cpu_seconds();
    learn.fine_tune(10);
    seconds.push_back(seconds_since(start));
    cpu.push_back(cpu_seconds() - started);
    figures.push_back(learn.validate());
  }
  std::cout << Json{{"valid_loss", figures}, {"seconds", seconds}, {"cpu_seconds", median(cpu)}} << "\n";
}

void read(const fs::path& csv, int bs) {
  const auto start = Clock::now();
  CollabDataLoadersOptions o = seeded(42);
  o.bs = bs;
  const auto dls = CollabDataLoaders::from_csv(csv, o);
  const double reading = seconds_since(start), cpu = cpu_seconds();
  auto learn = collab_learner(dls, {.y_range = {{0, 5.5}}, .listener = silent_listener()});
  constexpr int batches = 200;
  double training = 0;
  // Stops an epoch that would take long: what is asked is the time of a batch.
  struct Stop {
    double* seconds;
    Clock::time_point start = Clock::now();
    void before_train(Learner&) { start = Clock::now(); }
    void after_batch(Learner& learn) {
      if (learn.iter + 1 < batches) return;
      *seconds = seconds_since(start);
      throw CancelFit();
    }
  };
  learn.fit(1, 5e-3, {.cbs = {Stop{.seconds = &training}}});
  std::cout << Json{{"seconds", reading}, {"ratings", dls.train().n() + dls.valid().n()}, {"cpu_seconds", cpu},
                    {"peak_mb", peak_mb()}, {"seconds_of_200_batches", training},
                    {"batches_an_epoch", dls.train().size()}}
            << "\n";
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string command = argc > 2 ? argv[1] : "";
  torch::set_num_threads(2);
  if (command == "epoch") return epoch(argv[2], argc > 3 ? std::atoi(argv[3]) : 5), 0;
  if (command == "course") return course(argv[2], argc > 3 ? std::atoi(argv[3]) : 5), 0;
  if (command == "read") return read(argv[2], argc > 3 ? std::atoi(argv[3]) : 64), 0;
  std::cerr << "usage: ratings_bench epoch|course|read RATINGS.csv …\n";
  return 2;
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
