#pragma once
/// A backbone of a few hundred parameters, so that exported files are small and quick to make.

#include <kindling/nn/models.hpp>

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>

namespace kindling::testing {

struct TinyBackbone final : Backbone {
  torch::nn::Conv2d conv{nullptr};
  torch::nn::BatchNorm2d bn{nullptr};
  explicit TinyBackbone(const ModelOptions& options) {
    conv = register_module("conv",
                           torch::nn::Conv2d(torch::nn::Conv2dOptions(options.in_channels, 8, 3).stride(2)));
    bn = register_module("bn", torch::nn::BatchNorm2d(8));
  }
  torch::Tensor forward_features(torch::Tensor x) override { return bn->forward(conv->forward(x)).relu(); }
  torch::Tensor forward(torch::Tensor) override { throw std::logic_error("no classifier"); }
  int num_features() const override { return 8; }
  std::vector<std::vector<std::shared_ptr<torch::nn::Module>>> groups() const override {
    return {{conv.ptr(), bn.ptr()}};
  }
};

inline void register_tiny() {
  register_model({.name = "tiny_test_net",
                  .make = [](const ModelOptions& o) { return std::make_shared<TinyBackbone>(o); }});
}

}  // namespace kindling::testing
