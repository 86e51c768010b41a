#include <kindling/core/error.hpp>
#include <kindling/nn/head.hpp>

#include "nn/head_layers.hpp"

#include <cmath>

#include <torch/nn/init.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>

namespace kindling {
namespace detail {

torch::Tensor AdaptiveConcatPool2dImpl::forward(const torch::Tensor& x) {
  return adaptive_concat_pool2d(x);
}

torch::Tensor SigmoidRangeImpl::forward(const torch::Tensor& x) {
  return torch::sigmoid(x) * (high - low) + low;
}

}  // namespace detail

namespace {

struct LayerSpec {
  int in, out;
  bool norm;
  double dropout;
  bool activation;
};

torch::nn::BatchNorm1d fastai_norm(int features) {
  torch::nn::BatchNorm1d bn(features);
  torch::nn::init::constant_(bn->bias, 1e-3);
  return bn;
}

// fastai's LinBnDrop: norm, dropout, linear, activation; with lin_first linear and activation come first.
void add_layer(torch::nn::Sequential& head, const LayerSpec& layer, bool lin_first) {
  const auto linear = [&] {
    head->push_back(torch::nn::Linear(torch::nn::LinearOptions(layer.in, layer.out).bias(!layer.norm)));
    if (layer.activation) head->push_back(torch::nn::ReLU(torch::nn::ReLUOptions().inplace(true)));
  };
  if (lin_first) linear();
  if (layer.norm) head->push_back(fastai_norm(lin_first ? layer.out : layer.in));
  if (layer.dropout != 0) head->push_back(torch::nn::Dropout(layer.dropout));
  if (!lin_first) linear();
}

// fastai's `apply_init` with its default: kaiming normal weights and no bias, in the order of the layers.
void initialise(torch::nn::Sequential& head) {
  for (const auto& module : head->children()) {
    if (auto* linear = module->as<torch::nn::Linear>()) {
      torch::nn::init::kaiming_normal_(linear->weight);
      if (linear->bias.defined()) torch::nn::init::zeros_(linear->bias);
    }
  }
}

void check(int nf, int n_out, const HeadOptions& options) {
  bool good = nf > 0 && n_out > 0 && options.ps >= 0 && options.ps < 1;
  for (const int width : options.lin_ftrs) good = good && width > 0;
  if (good && options.y_range) good = options.y_range->first < options.y_range->second;
  if (good) return;
  throw Error(ErrorCode::usage, "a head cannot be made with these options",
              {{"nf", nf}, {"n_out", n_out}, {"ps", std::to_string(options.ps)}},
              "widths are positive, 0 <= ps < 1, and y_range goes from low to high");
}

}  // namespace

torch::nn::Sequential create_head(int nf, int n_out, const HeadOptions& options) {
  check(nf, n_out, options);
  const bool concat = options.pool && options.concat_pool;
  std::vector<int> sizes = {concat ? 2 * nf : nf};
  sizes.insert(sizes.end(), options.lin_ftrs.begin(), options.lin_ftrs.end());
  sizes.push_back(n_out);

  const std::size_t layers = sizes.size() - 1;
  std::vector<double> ps(layers, options.ps / 2);
  ps.back() = options.ps;

  torch::nn::Sequential head;
  if (options.pool) {
    if (concat) {
      head->push_back(detail::AdaptiveConcatPool2d());
    } else {
      head->push_back(torch::nn::AdaptiveAvgPool2d(1));
    }
    head->push_back(torch::nn::Flatten());
  }
  if (options.lin_first) {
    head->push_back(torch::nn::Dropout(ps.front()));
    ps.erase(ps.begin());
  }
  // With lin_first the first dropout is taken already, which leaves one layer fewer; the plain linear layer
  // replaces it.
  for (std::size_t i = 0; i < ps.size(); ++i) {
    const bool hidden = i + 1 < layers;
    add_layer(head, {sizes[i], sizes[i + 1], i > 0 || options.first_bn, ps[i], hidden}, options.lin_first);
  }
  if (options.lin_first) head->push_back(torch::nn::Linear(sizes[layers - 1], n_out));
  if (options.bn_final)
    head->push_back(torch::nn::BatchNorm1d(torch::nn::BatchNorm1dOptions(n_out).momentum(0.01)));
  if (options.y_range) head->push_back(detail::SigmoidRange(options.y_range->first, options.y_range->second));
  initialise(head);
  return head;
}

torch::Tensor adaptive_concat_pool2d(const torch::Tensor& x) {
  if (x.dim() != 4) {
    throw Error(ErrorCode::usage, "pooling needs a batch of feature maps",
                {{"expected", "N x C x h x w"}, {"got", c10::str(x.sizes())}},
                "make the head with pool = false");
  }
  return torch::cat({x.amax({2, 3}, /*keepdim=*/true), x.mean({2, 3}, /*keepdim=*/true)}, 1);
}

}  // namespace kindling
