// What a training costs beside its arithmetic. Prints one JSON object on a line.
//
//   training_bench loop          a step's own cost with all default callbacks: a Learner beside a bare LibTorch loop,
//                                on a model that computes next to nothing
//   training_bench checkpoint    how long the training thread waits for a checkpoint of a ResNet-34 with Adam
#include <kindling/core/listener.hpp>
#include <kindling/nn.hpp>
#include <kindling/train/checkpoint.hpp>
#include <kindling/vision.hpp>

#include "measure.hpp"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

using namespace kindling;
using namespace bench;

namespace {

/// Items in memory, of a shape.
struct Ready final : Dataset {
  std::int64_t n;
  torch::Tensor x;
  Ready(std::int64_t count, const std::vector<std::int64_t>& shape) : n(count), x(torch::randn(shape)) {}
  std::int64_t size() const override { return n; }
  Values raw(std::int64_t i) const override { return {x, CategoryIndex{i % 2}}; }
  Value item(std::int64_t i) const override { return Number{static_cast<double>(i)}; }
};

DataLoaders loaders(std::int64_t items, int bs, const std::vector<std::int64_t>& shape) {
  auto pipeline = std::make_shared<Pipeline>(Pipeline{.blocks = {{}, {}}, .target = TargetKind::category});
  return DataLoaders(DataLoader(std::make_shared<Ready>(items, shape), pipeline,
                                {.bs = bs, .drop_last = true, .num_workers = 0, .split = Split::train}),
                     DataLoader(std::make_shared<Ready>(bs, shape), pipeline, {.bs = bs, .num_workers = 0}));
}

/// Seconds of the training part of an epoch.
struct TimeEpoch {
  int order = 200;
  std::vector<double>* seconds;
  Clock::time_point start = {};
  void before_train(Learner&) { start = Clock::now(); }
  void after_train(Learner&) { seconds->push_back(seconds_since(start)); }
};

int bench_loop() {
  constexpr std::int64_t steps = 2000;
  torch::manual_seed(0);
  Learner learn(loaders(steps, 1, {4}), torch::nn::Linear(4, 2), {.opt_func = SGD(), .listener = silent_listener()});
  learn.create_opt();
  std::vector<double> bare, ours;
  for (int run = 0; run < 7; ++run) {
    learn.model.module().train();
    const auto start = Clock::now();
    auto epoch = learn.dls.train().epoch(run);
    for (Batch batch; epoch.next(batch);) {
      auto loss = learn.loss_func(learn.model.forward(batch.x), batch.y);
      loss.backward();
      learn.opt->step();
      learn.opt->zero_grad();
    }
    const double bare_seconds = seconds_since(start);
    std::vector<double> once;
    learn.fit_one_cycle(1, 1e-4, {.cbs = {TimeEpoch{.seconds = &once}}});
    if (run < 2) continue;
    bare.push_back(bare_seconds);
    ours.push_back(once.front());
  }
  std::cout << Json{{"bench", "loop"},
                    {"steps", steps},
                    {"bare_us", 1e6 * median(bare) / steps},
                    {"learner_us", 1e6 * median(ours) / steps},
                    {"own_us", 1e6 * (median(ours) - median(bare)) / steps}}
                   .dump()
            << "\n";
  return 0;
}

int bench_checkpoint() {
  torch::manual_seed(0);
  Learner learn(loaders(8, 4, {3, 32, 32}), create_vision_model("resnet34", 2), {.listener = silent_listener()});
  const fs::path folder = fs::temp_directory_path() / ("training_bench-" + std::to_string(::getpid()));
  std::vector<double> copies, waits;
  std::uintmax_t bytes = 0;
  {
    auto checkpoints = std::make_shared<Checkpoints>(CheckpointOptions{.folder = folder});
    struct Measure {
      int order = Checkpoints::order + 1;
      std::shared_ptr<Checkpoints> checkpoints;
      std::vector<double>*copies, *waits;
      void after_epoch(Learner&) const {
        checkpoints->wait();
        const auto stats = checkpoints->stats();
        copies->push_back(stats.last_copy_s);
        waits->push_back(stats.last_wait_s);
      }
    };
    learn.add_cbs({Callback(checkpoints), Measure{.checkpoints = checkpoints, .copies = &copies, .waits = &waits}});
    learn.fit(8, 1e-4);
    bytes = fs::file_size(checkpoints->best_path());
  }
  fs::remove_all(folder);
  std::cout << Json{{"bench", "checkpoint"},
                    {"bytes", bytes},
                    {"first_copy_ms", 1000 * copies.front()},
                    {"copy_ms", 1000 * median(copies)},
                    {"all_copies_s", copies},
                    {"all_waits_s", waits}}
                   .dump()
            << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  torch::set_num_threads(2);
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "loop") return bench_loop();
  if (what == "checkpoint") return bench_checkpoint();
  std::cerr << "usage: training_bench loop | checkpoint\n";
  return 2;
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
