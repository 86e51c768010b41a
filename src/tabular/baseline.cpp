#include <kindling/tabular/baseline.hpp>
#include <kindling/tabular/data.hpp>

#include "tabular/all_rows.hpp"
#include "tabular/lightgbm.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ops/linalg_solve.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/nn/functional/embedding.h>
#include <torch/nn/functional/loss.h>
#include <torch/optim/lbfgs.h>
#include <torch/types.h>

namespace kindling {

namespace {

namespace F = torch::nn::functional;

struct Part {
  torch::Tensor x;  ///< one-hot classes, standardised numbers
  torch::Tensor y;
};

torch::Tensor features(const Batch& batch, const TabularEncoder& encoder, const BaselineOptions& options) {
  std::vector<torch::Tensor> parts;
  for (std::size_t c = 0; c < encoder.cat_names().size(); ++c) {
    const std::int64_t n = encoder.classes(encoder.cat_names()[c]).size();
    if (n > options.max_codes) continue;
    parts.push_back(F::one_hot(batch.x[0].select(1, static_cast<std::int64_t>(c)), n).to(torch::kFloat32));
  }
  parts.push_back(batch.x[1]);
  parts.push_back(torch::ones({batch.size(), 1}));
  return torch::cat(parts, 1);
}

/// Numbers to mean 0 and deviation 1 of the training rows; the last column stays.
void standardise(Part& train, Part& valid) {
  const auto mean = train.x.mean(0), std = (train.x - mean).square().mean(0).sqrt();
  auto scale = torch::where(std > 0, std, torch::ones_like(std));
  const auto shift = mean.clone();
  shift[-1] = 0;
  scale[-1] = 1;
  train.x = (train.x - shift) / scale;
  valid.x = (valid.x - shift) / scale;
}

std::vector<std::pair<std::string, double>> class_figures(const torch::Tensor& log_probs, const torch::Tensor& y) {
  return {{"accuracy", (log_probs.argmax(1) == y).to(torch::kFloat64).mean().item<double>()},
          {"log loss", F::nll_loss(log_probs, y).item<double>()}};
}

Baseline most_frequent(const Part& train, const Part& valid, std::int64_t classes) {
  const auto counts = torch::bincount(train.y, {}, classes).to(torch::kFloat32);
  const auto log_probs = ((counts + 1e-6) / counts.sum()).log().expand({valid.y.size(0), classes});
  return {"most frequent class", class_figures(log_probs, valid.y)};
}

Baseline logistic(const Part& train, const Part& valid, std::int64_t classes) {
  auto weight = torch::zeros({train.x.size(1), classes}, torch::requires_grad());
  torch::optim::LBFGS optimizer(std::vector<torch::Tensor>{weight}, torch::optim::LBFGSOptions(1).max_iter(100).line_search_fn("strong_wolfe"));
  const auto n = static_cast<double>(train.y.size(0));
  optimizer.step([&] {
    optimizer.zero_grad();
    auto loss = F::cross_entropy(train.x.matmul(weight), train.y) + weight.square().sum() / (2 * n);
    loss.backward();
    return loss;
  });
  return {"logistic regression", class_figures(valid.x.matmul(weight.detach()).log_softmax(1), valid.y)};
}

std::vector<std::pair<std::string, double>> number_figures(const torch::Tensor& said, const torch::Tensor& y) {
  const double error = (said - y).square().mean().item<double>();
  const double spread = (y - y.mean()).square().mean().item<double>();
  return {{"rmse", std::sqrt(error)}, {"r2", spread > 0 ? 1 - error / spread : 0}};
}

Baseline mean(const Part& train, const Part& valid) {
  return {"mean", number_figures(train.y.mean().expand_as(valid.y), valid.y)};
}

Baseline ridge(const Part& train, const Part& valid) {
  const auto x = train.x.to(torch::kFloat64);
  auto penalty = torch::eye(x.size(1), torch::kFloat64);
  penalty[-1][-1] = 1e-9;
  const auto weight = at::linalg_solve(x.t().matmul(x) + penalty, x.t().matmul(train.y.to(torch::kFloat64)));
  return {"ridge regression", number_figures(valid.x.to(torch::kFloat64).matmul(weight), valid.y.to(torch::kFloat64))};
}

/// LightGBM with its defaults, where it is installed.
void add_trees(std::vector<Baseline>& found, const Batch& train, const Batch& valid, const torch::Tensor& train_y,
               const torch::Tensor& valid_y, std::int64_t classes) {
  const auto columns = [](const Batch& batch) { return torch::cat({batch.x[0].to(torch::kFloat32), batch.x[1]}, 1); };
  const auto said = detail::lightgbm_predictions(columns(train), train_y.to(torch::kFloat32), columns(valid),
                                                 {.n_categorical = train.x[0].size(1), .classes = classes});
  if (!said) return;
  found.push_back({"LightGBM", classes > 0 ? class_figures(said->clamp_min(1e-12).log(), valid_y)
                                           : number_figures(*said, valid_y.to(torch::kFloat64))});
}

}  // namespace

std::vector<Baseline> baselines(const DataLoaders& dls, const BaselineOptions& options) {
  const TabularEncoder& encoder = tabular_encoder(dls.pipeline());
  if (dls.valid().n() == 0 || encoder.target() == TargetKind::none) return {};
  const Batch train_rows = detail::all_rows(dls.train(), options.max_rows), valid_rows = detail::all_rows(dls.valid(), dls.valid().n());
  Part train{features(train_rows, encoder, options), train_rows.y.front()};
  Part valid{features(valid_rows, encoder, options), valid_rows.y.front()};
  standardise(train, valid);
  if (encoder.target() == TargetKind::category) {
    const std::int64_t classes = dls.c();
    if (classes < 2) return {most_frequent(train, valid, classes)};
    std::vector<Baseline> found = {most_frequent(train, valid, classes), logistic(train, valid, classes)};
    add_trees(found, train_rows, valid_rows, train.y, valid.y, classes);
    return found;
  }
  if (train.y.dim() > 1) {
    train.y = train.y.select(1, 0);
    valid.y = valid.y.select(1, 0);
  }
  std::vector<Baseline> found = {mean(train, valid), ridge(train, valid)};
  add_trees(found, train_rows, valid_rows, train.y, valid.y, 0);
  return found;
}

std::string to_string(const std::vector<Baseline>& baselines) {
  std::string text;
  for (const Baseline& b : baselines) {
    std::vector<std::string> figures;
    for (const auto& [name, value] : b.figures) figures.push_back(fmt::format("{} {:.4f}", name, value));
    text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", b.name, fmt::join(figures, ", "));
  }
  return text;
}

}  // namespace kindling
