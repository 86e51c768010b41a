#pragma once
/// The classifier that fastai puts on a body.

#include <optional>
#include <utility>
#include <vector>

#include <torch/nn/module.h>
#include <torch/nn/modules/container/sequential.h>

namespace kindling {

/// Options of `create_head`, with fastai's names and defaults.
struct HeadOptions {
  std::vector<int> lin_ftrs = {512};  ///< widths of the hidden layers; empty: one linear layer
  double ps = 0.5;                    ///< dropout before the last layer; half of it before the others
  bool pool = true;                   ///< pool to 1 x 1 and flatten first
  bool concat_pool = true;  ///< max and average pooling side by side (max first); doubles the features
  bool first_bn = true;
  bool bn_final = false;
  bool lin_first = false;
  std::optional<std::pair<double, double>> y_range;  ///< sigmoid to this range at the end
};

/// fastai's head for `nf` channels and `n_out` outputs: input N x nf x h x w (N x nf without pool), output N
/// x n_out. Layers and their order: fastai `create_head` (fastai-facts 4.2); linear weights kaiming normal,
/// batch norm bias 1e-3.
torch::nn::Sequential create_head(int nf, int n_out, const HeadOptions& options = {});

/// max then average over the spatial positions: N x C x h x w to N x 2C x 1 x 1 (fastai
/// `AdaptiveConcatPool2d(1)`).
torch::Tensor adaptive_concat_pool2d(const torch::Tensor& x);

}  // namespace kindling
