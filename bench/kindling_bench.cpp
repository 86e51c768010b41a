// kindling's side of the benchmarks that the program itself cannot show. Prints one JSON object on a line.
//
//   kindling_bench loader DATA SIZE exact|reduced|cached   decode + Resize of every photo into batches of 32: images a second
//   kindling_bench predict MODEL PHOTO                     one photo after another through a Predictor: seconds each
//   kindling_bench loop                                    steps of a Learner beside a bare LibTorch loop on the same batches
//   kindling_bench same-start IMAGES INIT EPOCHS           losses of the main job without a draw, from the peer's weights
#include <kindling/nn.hpp>
#include <kindling/serve.hpp>

#include "measure.hpp"

#include <algorithm>
#include <cctype>
#include <iostream>

#include <fmt/format.h>

using namespace kindling;
using namespace bench;

namespace {

/// `how`: exact decodes every pixel, as the peer; reduced as kindling does by default; cached is exact, and what was
/// decoded is kept from the first epoch on.
int bench_loader(const fs::path& data, int size, const std::string& how) {
  Paths files = get_files(data);
  for (const BrokenImage& broken : verify_images(files)) std::erase(files, broken.path);
  auto dls = ImageDataLoaders::from_path_func(data, files, [](const fs::path&) { return "photo"; },
                                              {.valid_pct = 0.01,
                                               .seed = 42,
                                               .item_tfms = {Resize(size)},
                                               .bs = 32,
                                               .cache = how == "cached" ? Cache::memory : Cache::off,
                                               .image = {.reduced_decoding = how == "reduced"}});
  std::vector<double> rates;
  for (int run = 0; run < 6; ++run) {
    std::int64_t images = 0;
    const auto start = Clock::now();
    for (const Batch& batch : dls.train()) images += batch.size();
    // The first run warms the page cache, or fills kindling's own.
    if (run > 0) rates.push_back(static_cast<double>(images) / seconds_since(start));
  }
  std::cout << Json{{"bench", "loader"},
                    {"size", size},
                    {"how", how},
                    {"images", files.size()},
                    {"images_per_second", median(rates)},
                    {"all", rates}}
                   .dump()
            << "\n";
  return 0;
}

struct Losses {
  static constexpr int order = 90;
  Json* losses;
  void after_batch(Learner& learn) {
    if (learn.training) losses->push_back(learn.loss.item<double>());
  }
};

/// The main job without a draw, from the weights that the peer wrote: what each step's loss is, and the table.
int bench_same_start(const fs::path& images, const fs::path& init, int epochs) {
  const auto cat_or_dog = [](const std::string& name) { return std::string(std::isupper(static_cast<unsigned char>(name[0])) ? "cat" : "dog"); };
  auto dls = ImageDataLoaders::from_name_func(
      images, get_image_files(images), cat_or_dog,
      {.valid_pct = 0.2, .seed = 42, .item_tfms = {Resize(192, {.method = ResizeMethod::squish})}, .bs = 32, .shuffle = false});
  auto learn = vision_learner(dls, "efficientnet_lite0", {.metrics = {error_rate}, .head = {.ps = 0}, .listener = silent_listener()});
  load_state_dict(learn.model.module(), Weights::open(init));
  Json losses = Json::array();
  learn.fine_tune(epochs, {.cbs = {Losses{&losses}}});
  Json table = Json::array();
  for (const auto& epoch : learn.recorder().history) table.push_back({epoch.train_loss, epoch.valid_loss, epoch.metrics.at(0)});
  std::cout << Json{{"bench", "same start"}, {"losses", losses}, {"table", table}}.dump() << "\n";
  return 0;
}

int bench_predict(const fs::path& model, const fs::path& photo) {
  const Predictor predictor(model);
  std::vector<double> seconds;
  for (int run = 0; run < 60; ++run) {
    const auto start = Clock::now();
    predictor.predict(photo);
    if (run >= 10) seconds.push_back(seconds_since(start));
  }
  std::cout << Json{{"bench", "predict"}, {"warm_seconds", median(seconds)}, {"all", seconds}}.dump() << "\n";
  return 0;
}

/// Batches in memory, so that a loop's own cost is all that differs.
struct Ready final : Dataset {
  torch::Tensor x = torch::randn({64, 3, 64, 64});
  std::int64_t size() const override { return x.size(0); }
  Values raw(std::int64_t i) const override { return {x[i], CategoryIndex{i % 2}}; }
  Value item(std::int64_t i) const override { return Number{static_cast<double>(i)}; }
};

/// Times the training part of an epoch: validation and one-time work stay out.
struct TimeSteps {
  static constexpr int order = -1000;
  static constexpr bool run_valid = false;
  std::vector<double>* seconds;
  Clock::time_point start = {};
  void before_train(Learner&) { start = Clock::now(); }
  void after_train(Learner&) { seconds->push_back(seconds_since(start)); }
};

int bench_loop() {
  auto pipeline = std::make_shared<Pipeline>(Pipeline{.blocks = {{}, {}}, .target = TargetKind::category});
  DataLoader train(std::make_shared<Ready>(), pipeline,
                   {.bs = 32, .drop_last = true, .num_workers = 0, .split = Split::train});
  const DataLoader valid(std::make_shared<Ready>(), pipeline, {.bs = 64, .num_workers = 0});
  torch::manual_seed(0);
  Learner learn(DataLoaders(train, valid), create_vision_model("efficientnet_lite0", 2),
                {.listener = silent_listener()});
  learn.create_opt();
  std::vector<double> bare, ours;
  auto bare_step = [&](const Batch& batch) {
    auto loss = torch::nn::functional::cross_entropy(learn.model.forward(batch.x), batch.y[0]);
    loss.backward();
    learn.opt->step();
    learn.opt->zero_grad();
  };
  for (int run = 0; run < 12; ++run) {
    learn.model.module().train();
    const auto start = Clock::now();
    for (const Batch& batch : train) bare_step(batch);
    if (run >= 2) bare.push_back(seconds_since(start));
    std::vector<double> once;
    learn.fit(1, 1e-4, {.cbs = {TimeSteps{.seconds = &once}}});
    if (run >= 2) ours.push_back(once.front());
  }
  std::cout << Json{{"bench", "loop"},
                    {"steps", train.size()},
                    {"bare_seconds", median(bare)},
                    {"learner_seconds", median(ours)},
                    {"overhead", median(ours) / median(bare) - 1},
                    {"bare_all", bare},
                    {"learner_all", ours}}
                   .dump()
            << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  torch::set_num_threads(2);
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "loader" && argc == 5) return bench_loader(argv[2], std::stoi(argv[3]), argv[4]);
  if (what == "predict" && argc == 4) return bench_predict(argv[2], argv[3]);
  if (what == "loop") return bench_loop();
  if (what == "same-start" && argc == 5) return bench_same_start(argv[2], argv[3], std::stoi(argv[4]));
  std::cerr << "usage: kindling_bench loader DATA SIZE exact|reduced|cached | predict MODEL PHOTO | loop | same-start IMAGES INIT EPOCHS\n";
  return 2;
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
