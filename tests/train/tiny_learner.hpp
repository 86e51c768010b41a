#pragma once
/// A small training with everything random in it: dropout, shuffling, batch norm.

#include <kindling/core/listener.hpp>
#include <kindling/train/learner.hpp>

#include <mutex>
#include <string>
#include <vector>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn.h>

namespace kindling::testing {

namespace nn = torch::nn;

/// Tensors with class indices.
struct ClassPairs final : Dataset {
  torch::Tensor x;
  std::vector<std::int64_t> y;
  ClassPairs(torch::Tensor xs, std::vector<std::int64_t> ys) : x(std::move(xs)), y(std::move(ys)) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(y.size()); }
  Values raw(std::int64_t i) const override { return {x[i], CategoryIndex{y[i]}}; }
  Value item(std::int64_t i) const override { return fs::path("item-" + std::to_string(i)); }
};

inline std::shared_ptr<Dataset> class_pairs(int n, std::uint64_t seed, std::vector<std::int64_t> shape = {6}) {
  shape.insert(shape.begin(), n);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  std::vector<std::int64_t> y;
  for (int i = 0; i < n; ++i) y.push_back(i % 3);
  return std::make_shared<ClassPairs>(torch::randn(shape, generator), y);
}

inline DataLoaders class_loaders(std::shared_ptr<Dataset> train, std::shared_ptr<Dataset> valid, int bs = 4,
                                 bool shuffle = true) {
  auto pipeline = std::make_shared<Pipeline>(Pipeline{.blocks = {{}, {}}, .target = TargetKind::category});
  return DataLoaders(DataLoader(std::move(train), pipeline,
                                {.bs = bs, .shuffle = shuffle, .drop_last = true, .num_workers = 1, .seed = 7,
                                 .split = Split::train}),
                     DataLoader(std::move(valid), pipeline, {.bs = bs, .num_workers = 1}));
}

struct TinyNet : nn::Module {
  nn::Sequential body{nn::Linear(6, 12), nn::BatchNorm1d(12), nn::ReLU()};
  nn::Sequential head{nn::Dropout(0.4), nn::Linear(12, 3)};
  TinyNet() {
    register_module("body", body);
    register_module("head", head);
  }
  torch::Tensor forward(const torch::Tensor& x) { return head->forward(body->forward(x)); }
};

inline Model tiny_net() {
  torch::manual_seed(11);
  auto net = std::make_shared<TinyNet>();
  Model model(net);
  model.groups = {{net->body.ptr()}, {net->head.ptr()}};
  return model;
}

inline LearnerOptions quietly(Callbacks cbs = {}) {
  return {.metrics = {accuracy}, .cbs = std::move(cbs), .listener = silent_listener()};
}

/// 5 batches of 4 an epoch, 7 validation items.
inline Learner tiny_learner(Callbacks cbs = {}) {
  Learner learn(class_loaders(class_pairs(22, 1), class_pairs(7, 2)), tiny_net(), quietly(std::move(cbs)));
  torch::manual_seed(3);
  return learn;
}

/// Everything that was said.
struct Heard final : Listener {
  std::vector<std::string> texts;
  std::vector<Json> events;
  void message(Level, std::string_view text) override { texts.emplace_back(text); }
  void event(const Json& event) override { events.push_back(event); }
};

}  // namespace kindling::testing
