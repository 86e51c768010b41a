// Lesson 3, third part: under the hood of a digit classifier (chapter 4 of the course's book).
//
// Threes and sevens become tensors; the mean digit is a first classifier; then a linear model, a small net and a
// ResNet learn to tell them apart, each with less code of its own than the one before. Writes the pictures as
// mnist_basics.png and mnist_basics.html.
//
//   lesson3_mnist_basics MNIST_SAMPLE [CHAPTER...]     chapters: pixels sgd scratch learner resnet; all by default
//
// MNIST_SAMPLE is the unpacked mnist_sample.tgz of the course: train/3, train/7, valid/3, valid/7.
//
// Numbers to expect. Those of the book, to all four digits: distances of a three from the mean three 0.1114 (L1) and
// 0.2021 (RMSE), from the mean seven 0.1586 and 0.3021; right by pixel similarity 0.9168 of the threes, 0.9854 of the
// sevens, 0.9511 on average; losses of the roller coaster 25823.8 5435.5 1577.4 847.4 709.2 … 677.0 (torch's seed 42
// is the book's, too). Those that hang on the order of random numbers: the linear models end at 0.968 and 0.979 (the
// book's near 0.97 and 0.98), the small net at 0.982 (0.982), the ResNet-18 after one epoch between 0.99 and 0.998
// (0.997). Everything but the ResNet takes 10 seconds on 2 cores, the ResNet a minute or two.
#include <kindling/nn.hpp>
#include <kindling/vision.hpp>

#include <cstdio>
#include <iostream>
#include <set>

#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

using namespace kindling;
using torch::Tensor;
namespace nn = torch::nn;
namespace F = torch::nn::functional;

// ---- Images are numbers -------------------------------------------------------------------------------------

// All digits of a folder, N x 28 x 28, from 0 (paper) to 1 (ink).
Tensor digits(const fs::path& folder) {
  std::vector<Tensor> tensors;
  for (const fs::path& file : get_image_files(folder)) {
    tensors.push_back(tensor(open_image(file, {.mode = ColorMode::L})));
  }
  return torch::stack(tensors).to(torch::kFloat32) / 255;
}

struct Digits {
  Tensor threes, sevens, valid_threes, valid_sevens;
};

// The rows and columns where this three begins, as the book shows them.
void print_pixels(const Tensor& im) {
  for (int row = 4; row < 15; ++row) {
    for (int column = 4; column < 22; ++column) std::printf("%4d", im[row][column].item<int>());
    std::printf("\n");
  }
}

// ---- A first try: which mean digit is it closer to? ---------------------------------------------------------

// Broadcasting: b may be one digit and a a thousand of them; the mean is over the last two axes, the pixels.
Tensor mnist_distance(const Tensor& a, const Tensor& b) {
  return (a - b).abs().mean({-1, -2});
}

void pixels(const fs::path& path, const Digits& d) {
  const Paths files = get_image_files(path / "train" / "3");
  print_pixels(tensor(open_image(files[1], {.mode = ColorMode::L})));

  const Tensor mean3 = d.threes.mean(0), mean7 = d.sevens.mean(0), a_3 = d.threes[1];
  show_images({a_3, mean3, d.sevens[1], mean7},
              {.titles = {"a three", "the mean three", "a seven", "the mean seven"}, .inverted = true})
      .save("mnist_basics.png");

  std::printf("from the mean three: L1 %.4f, RMSE %.4f\n", (a_3 - mean3).abs().mean().item<float>(),
              (a_3 - mean3).square().mean().sqrt().item<float>());
  std::printf("from the mean seven: L1 %.4f, RMSE %.4f\n", F::l1_loss(a_3, mean7).item<float>(),
              F::mse_loss(a_3, mean7).sqrt().item<float>());

  auto is_3 = [&](const Tensor& x) { return mnist_distance(x, mean3) < mnist_distance(x, mean7); };
  const float accuracy_3s = is_3(d.valid_threes).to(torch::kFloat32).mean().item<float>();
  const float accuracy_7s = 1 - is_3(d.valid_sevens).to(torch::kFloat32).mean().item<float>();
  std::printf("pixel similarity: %.4f of the threes, %.4f of the sevens, %.4f on average\n", accuracy_3s, accuracy_7s,
              (accuracy_3s + accuracy_7s) / 2);
}

// ---- Stochastic gradient descent: the speed of a roller coaster ---------------------------------------------

Tensor speed_mse(const Tensor& preds, const Tensor& targets) {
  return (preds - targets).square().mean();
}

std::vector<FigureSection> roller_coaster() {
  // The gradient of x² is 2x: of 3, 4 and 10 it is 6, 8 and 20.
  Tensor xt = torch::tensor({3.f, 4.f, 10.f}).requires_grad_();
  xt.square().sum().backward();
  std::printf("gradient of x squared at 3, 4, 10: %g %g %g\n", xt.grad()[0].item<float>(), xt.grad()[1].item<float>(),
              xt.grad()[2].item<float>());

  const Tensor time = torch::arange(0, 20).to(torch::kFloat32);
  const Tensor speed = torch::randn(20) * 3 + 0.75 * (time - 9.5).square() + 1;
  // Step 1: the parameters of a quadratic begin at random.
  Tensor params = torch::randn(3).requires_grad_();
  auto f = [&] { return params[0] * time.square() + params[1] * time + params[2]; };
  const double lr = 1e-5;

  std::vector<Series> curves = {{.name = "measured", .x = numbers_of(time), .y = numbers_of(speed)}};
  std::printf("loss of the roller coaster:");
  for (int step = 0; step <= 10; ++step) {
    const Tensor preds = f();                // step 2: predict
    const Tensor loss = speed_mse(preds, speed);   // step 3: the loss
    loss.backward();                         // step 4: the gradients
    params.data() -= lr * params.grad();     // step 5: step the weights
    params.mutable_grad().reset();
    std::printf(" %.1f", loss.item<float>());  // step 6: again, until (step 7) it is good enough
    if (step < 4)
      curves.push_back({.name = "step " + std::to_string(step), .x = numbers_of(time), .y = numbers_of(preds)});
  }
  std::printf("\n");
  return {{.heading = "A roller coaster's speed",
           .text = "The first steps of gradient descent.",
           .figure = scatter_figure(curves, {.x = "time", .y = "speed"})},
          {.heading = "The sigmoid",
           .text = "Any number in, a probability out.",
           .figure = plot_function([](Tensor t) { return t.sigmoid(); }, {.min = -4, .max = 4})}};
}

// ---- A loss for digits, and the linear model from scratch ----------------------------------------------------

// How far each prediction is from its target, 1 for a three and 0 for a seven. Accuracy would not do as a loss: it does
// not change when a weight changes a little, so its gradient is 0.
Tensor mnist_loss(const Tensor& predictions, const Tensor& targets) {
  const Tensor p = predictions.sigmoid();
  return torch::where(targets == 1, 1 - p, p).mean();
}

Tensor batch_accuracy(const Tensor& predictions, const Tensor& targets) {
  return ((predictions.sigmoid() > 0.5) == targets).to(torch::kFloat32).mean();
}

// Images as rows of 784 numbers, with 1 or 0 as their targets.
DataLoader loader(const Tensor& threes, const Tensor& sevens) {
  const Tensor x = torch::cat({threes, sevens}).view({-1, 28 * 28});
  const Tensor y = torch::cat({torch::ones({threes.size(0), 1}), torch::zeros({sevens.size(0), 1})});
  return pair_loader(x, y, {.bs = 256});
}

using Predict = std::function<Tensor(const Tensor&)>;

double validate_epoch(const Predict& model, const DataLoader& valid_dl) {
  torch::NoGradGuard no_grad;
  std::vector<Tensor> accuracies;
  for (const Batch& batch : valid_dl) accuracies.push_back(batch_accuracy(model(batch.x[0]), batch.y[0]));
  return torch::stack(accuracies).mean().item<double>();
}

// All that an optimizer must do.
struct BasicOptim {
  std::vector<Tensor> params;
  double lr;
  void step() {
    for (Tensor& p : params) p.data() -= p.grad() * lr;
  }
  void zero_grad() {
    for (Tensor& p : params) p.mutable_grad().reset();
  }
};

template <class Optim>
void train_epoch(const Predict& model, Optim& opt, const DataLoader& dl) {
  for (const Batch& batch : dl) {
    mnist_loss(model(batch.x[0]), batch.y[0]).backward();
    opt.step();
    opt.zero_grad();
  }
}

template <class Optim>
void train_model(const char* name, const Predict& model, Optim& opt, const DataLoader& dl, const DataLoader& valid_dl) {
  std::printf("%s:", name);
  for (int epoch = 0; epoch < 20; ++epoch) {
    train_epoch(model, opt, dl);
    std::printf(" %.4f", validate_epoch(model, valid_dl));
  }
  std::printf("\n");
}

// A DataLoader takes any list of pairs: the letters with their places, six at a time, in random order.
void show_batches() {
  std::vector<std::pair<int, char>> letters;
  for (char c = 'a'; c <= 'z'; ++c) letters.emplace_back(c - 'a', c);
  for (const Batch& batch : pair_loader(letters, {.bs = 6, .shuffle = true})) {
    for (std::int64_t i = 0; i < batch.size(); ++i)
      std::printf("%2d %c  ", batch.x[0][i].item<int>(), batch.y[0][i].item<int>());
    std::printf("\n");
  }
}

void from_scratch(const Digits& d) {
  show_batches();
  std::printf("mnist_loss of three predictions: %.4f\n",
              mnist_loss(torch::tensor({0.9f, 0.4f, 0.2f}), torch::tensor({1, 0, 1})).item<float>());

  const DataLoader dl = loader(d.threes, d.sevens), valid_dl = loader(d.valid_threes, d.valid_sevens);
  const double lr = 1;

  // First with nothing but tensors …
  Tensor weights = torch::randn({28 * 28, 1}).requires_grad_(), bias = torch::randn(1).requires_grad_();
  BasicOptim opt{{weights, bias}, lr};
  train_model("linear, by hand", [&](const Tensor& xb) { return xb.matmul(weights) + bias; }, opt, dl, valid_dl);

  // … then with PyTorch's layer and the library's SGD, which have the same parts.
  nn::Linear linear(28 * 28, 1);
  const auto sgd = SGD({.lr = lr})({{{linear->weight}, {linear->bias}}});
  train_model("nn::Linear, SGD", [&](const Tensor& xb) { return linear->forward(xb); }, *sgd, dl, valid_dl);
}

// ---- The same by a Learner, and a net with a nonlinearity ----------------------------------------------------

std::vector<FigureSection> learners(const Digits& d) {
  const DataLoaders dls(loader(d.threes, d.sevens), loader(d.valid_threes, d.valid_sevens));
  const LearnerOptions options = {
      .opt_func = SGD(), .loss_func = mnist_loss, .metrics = {{"batch_accuracy", batch_accuracy}}};

  Learner linear(dls, nn::Linear(28 * 28, 1), options);
  linear.fit(10, 1.0);

  // Two linear layers with a ReLU between them can fit any function, given enough parameters.
  nn::Sequential simple_net(nn::Linear(28 * 28, 30), nn::ReLU(), nn::Linear(30, 1));
  Learner learn(dls, simple_net, options);
  learn.fit(40, 0.1);
  const std::vector<std::vector<double>> values = learn.recorder().values();
  std::printf("simple_net: %.4f\n", values.back()[2]);

  std::vector<double> accuracies;
  for (const auto& row : values) accuracies.push_back(row[2]);
  return {{.heading = "ReLU", .figure = plot_function([](Tensor t) { return t.relu(); })},
          {.heading = "simple_net",
           .text = "Accuracy on the validation digits, epoch by epoch.",
           .figure = line_figure({{.y = accuracies}}, {.x = "epoch", .y = "batch_accuracy"})}};
}

// ---- Going deeper ------------------------------------------------------------------------------------------

// Eighteen layers that start from nothing, on the photos as files: no tensors of our own any more.
void resnet(const fs::path& path) {
  auto dls = ImageDataLoaders::from_folder(path);
  auto learn = vision_learner(dls, "resnet18", {.metrics = {accuracy}, .pretrained = false});
  learn.fit_one_cycle(1, 0.1);
  std::printf("ResNet-18: %.4f\n", learn.recorder().values().back()[2]);
}

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cerr << "usage: lesson3_mnist_basics MNIST_SAMPLE [pixels] [sgd] [scratch] [learner] [resnet]\n"
                 "MNIST_SAMPLE is the folder out of the course's mnist_sample.tgz\n";
    return 2;
  }
  const fs::path path = argv[1];
  const std::set<std::string> named(argv + 2, argv + argc);
  auto wanted = [&](const char* chapter) { return named.empty() || named.count(chapter) != 0; };

  torch::manual_seed(42);
  const Digits d = {digits(path / "train" / "3"), digits(path / "train" / "7"), digits(path / "valid" / "3"),
                    digits(path / "valid" / "7")};
  std::printf("%ld threes and %ld sevens to learn from\n", static_cast<long>(d.threes.size(0)),
              static_cast<long>(d.sevens.size(0)));

  std::vector<FigureSection> page;
  auto add = [&](std::vector<FigureSection> sections) { page.insert(page.end(), sections.begin(), sections.end()); };
  if (wanted("pixels")) pixels(path, d);
  if (wanted("sgd")) add(roller_coaster());
  if (wanted("scratch")) from_scratch(d);
  if (wanted("learner")) add(learners(d));
  if (wanted("resnet")) resnet(path);
  if (!page.empty()) write_file("mnist_basics.html", figure_page("Under the hood of a digit classifier", page));
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
