// kindling's side of the benchmarks of lesson 3. Prints one JSON object on a line.
//
//   lesson3_bench simple MNIST_SAMPLE [EPOCHS]   simple_net, batch 256, from memory: epochs a second of a Learner,
//                                                and of a bare LibTorch loop over slices of the tensors
//   lesson3_bench resnet MNIST_SAMPLE            ResNet-18, fit_one_cycle(1, 0.1) on the files: seconds of the epoch
#include <kindling/nn.hpp>
#include <kindling/vision.hpp>

#include "measure.hpp"

#include <algorithm>
#include <iostream>

#include <ATen/Parallel.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

using namespace kindling;
using namespace bench;
using torch::Tensor;
namespace nn = torch::nn;

namespace {

struct Digits {
  Tensor x, y;
};

Digits read_digits(const fs::path& folder) {
  std::vector<Tensor> images, labels;
  for (const auto& [name, label] : {std::pair("3", 1.f), {"7", 0.f}}) {
    for (const fs::path& file : get_image_files(folder / name)) {
      images.push_back(tensor(open_image(file, {.mode = ColorMode::L})));
      labels.push_back(torch::full({1}, label));
    }
  }
  return {torch::stack(images).view({-1, 784}).to(torch::kFloat32) / 255, torch::stack(labels)};
}

Tensor mnist_loss(const Tensor& predictions, const Tensor& targets) {
  const Tensor p = predictions.sigmoid();
  return torch::where(targets == 1, 1 - p, p).mean();
}

Tensor batch_accuracy(const Tensor& predictions, const Tensor& targets) {
  return ((predictions.sigmoid() > 0.5) == targets).to(torch::kFloat32).mean();
}

nn::Sequential simple_net() {
  return nn::Sequential(nn::Linear(784, 30), nn::ReLU(), nn::Linear(30, 1));
}

/// The least that training with LibTorch takes: batches are slices, nothing is recorded.
double bare_accuracy(const Digits& train, const Digits& valid, int epochs) {
  constexpr int bs = 256;
  nn::Sequential net = simple_net();
  std::vector<Tensor> params = net->parameters();
  double accuracy = 0;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (std::int64_t at = 0; at < train.x.size(0); at += bs) {
      const std::int64_t n = std::min<std::int64_t>(bs, train.x.size(0) - at);
      mnist_loss(net->forward(train.x.narrow(0, at, n)), train.y.narrow(0, at, n)).backward();
      torch::NoGradGuard no_grad;
      for (Tensor& p : params) {
        p.sub_(p.grad(), 0.1);
        p.mutable_grad().reset();
      }
    }
    torch::NoGradGuard no_grad;
    accuracy = batch_accuracy(net->forward(valid.x), valid.y).item<double>();
  }
  return accuracy;
}

int bench_simple(const fs::path& path, int epochs) {
  const Digits train = read_digits(path / "train"), valid = read_digits(path / "valid");
  const DataLoaders dls(pair_loader(train.x, train.y, {.bs = 256}), pair_loader(valid.x, valid.y, {.bs = 256}));
  std::vector<double> ours, bare, accuracies;
  for (int run = 0; run < 6; ++run) {
    torch::manual_seed(run);
    Learner learn(dls, simple_net(),
                  {.opt_func = SGD(),
                   .loss_func = mnist_loss,
                   .metrics = {{"batch_accuracy", batch_accuracy}},
                   .listener = silent_listener()});
    auto start = Clock::now();
    learn.fit(epochs, 0.1);
    const double learner = seconds_since(start);
    start = Clock::now();
    bare_accuracy(train, valid, epochs);
    // The first run warms up.
    if (run == 0) continue;
    ours.push_back(epochs / learner);
    bare.push_back(epochs / seconds_since(start));
    accuracies.push_back(learn.recorder().values().back()[2]);
  }
  std::cout << Json{{"bench", "simple"},
                    {"epochs", epochs},
                    {"steps", dls.train().size()},
                    {"epochs_per_second", median(ours)},
                    {"bare_epochs_per_second", median(bare)},
                    {"accuracy", median(accuracies)},
                    {"all", ours},
                    {"bare_all", bare}}
                   .dump()
            << "\n";
  return 0;
}

int bench_resnet(const fs::path& path) {
  torch::manual_seed(42);
  auto dls = ImageDataLoaders::from_folder(path);
  auto learn = vision_learner(
      dls, "resnet18", {.metrics = {accuracy}, .pretrained = false, .listener = silent_listener()});
  learn.fit_one_cycle(1, 0.1);
  const EpochRecord& epoch = learn.recorder().epochs.back();
  std::cout << Json{{"bench", "resnet"}, {"epoch_seconds", epoch.seconds}, {"accuracy", epoch.metrics[0]}}.dump()
            << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  at::set_num_threads(2);
  const std::string what = argc > 2 ? argv[1] : "";
  if (what == "simple") return bench_simple(argv[2], argc > 3 ? std::stoi(argv[3]) : 40);
  if (what == "resnet") return bench_resnet(argv[2]);
  std::cerr << "usage: lesson3_bench simple MNIST_SAMPLE [EPOCHS] | resnet MNIST_SAMPLE\n";
  return 2;
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
