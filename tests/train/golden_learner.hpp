#pragma once
/// The small problem of tests/golden/make_callbacks.py.

#include <kindling/nn/weights.hpp>

#include "golden.hpp"
#include "train/tiny_learner.hpp"

#include <gtest/gtest.h>

namespace kindling::testing {

struct GoldenNet : nn::Module {
  nn::Sequential body{nn::Linear(6, 8), nn::BatchNorm1d(8), nn::ReLU()};
  nn::Sequential head{nn::Linear(8, 3)};
  GoldenNet() {
    register_module("0", body);
    register_module("1", head);
  }
  torch::Tensor forward(const torch::Tensor& x) { return head->forward(body->forward(x)); }
};

inline Weights weights_from(const Json& state) {
  Weights::Named tensors;
  for (const auto& [name, value] : state.items()) tensors.emplace_back(name, tensor_from(value));
  return Weights(std::move(tensors));
}

/// The learner of make_callbacks.py: SGD, cross-entropy, batches of 4 in order, two parameter groups.
inline Learner golden_learner(const Json& fits, LearnerOptions options) {
  const auto part = [&](int x) {
    std::vector<std::int64_t> y;
    for (const float v : fits.at("data")[x + 1].at("values").get<std::vector<float>>())
      y.push_back(static_cast<std::int64_t>(v));
    return std::make_shared<ClassPairs>(tensor_from(fits.at("data")[x]), y);
  };
  auto net = std::make_shared<GoldenNet>();
  Model model(net);
  model.groups = {{net->body.ptr()}, {net->head.ptr()}};
  options.opt_func = SGD();
  if (!options.listener) options.listener = silent_listener();
  Learner learn(class_loaders(part(0), part(2), 4, false), std::move(model), std::move(options));
  load_state_dict(learn.model.module(), weights_from(fits.at("initial")));
  return learn;
}

inline void expect_state(const Learner& learn, const Json& state, double tolerance) {
  for (const auto& [name, tensor] : state_dict(learn.model.module())) {
    if (!state.contains(name)) continue;
    EXPECT_LT((tensor - tensor_from(state.at(name))).abs().max().item<double>(), tolerance) << name;
  }
}

}  // namespace kindling::testing
