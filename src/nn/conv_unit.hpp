#pragma once
// What the image models are made of: convolution, batch norm, activation, run as one.

#include "nn/batch_norm_act.hpp"
#include "nn/fused_conv.hpp"

#include <memory>

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>

namespace kindling::detail {

struct ConvUnitSettings {
  Activation act = Activation::none;
  /// TensorFlow's "same" padding, which depends on the input's size: at stride 2 an even side is padded by
  /// one more at its end than at its start.
  bool same_padding = false;
};

/// act(bn(conv(x))). The modules are registered by their owner under the names that weights files use; a unit
/// only refers to them. Without gradients, batch norm in eval mode is multiplied into the convolution on the
/// way.
class ConvUnit {
 public:
  ConvUnit() = default;
  /// `bn` may be empty.
  ConvUnit(torch::nn::Conv2d conv, torch::nn::BatchNorm2d bn, ConvUnitSettings settings);

  torch::Tensor forward(const torch::Tensor& x) const { return run(x, {}); }
  /// act(bn(conv(x)) + shortcut). Without gradients `shortcut`'s memory becomes the result's: pass what
  /// nobody reads on.
  torch::Tensor forward_add(const torch::Tensor& x, const torch::Tensor& shortcut) const {
    return run(x, shortcut);
  }

  /// Multiplies the batch norm into the convolution for good; from then on the unit is for inference only.
  void fold();

 private:
  torch::Tensor run(const torch::Tensor& x, const torch::Tensor& shortcut) const;
  torch::Tensor convolve(const torch::Tensor& x) const;
  ConvWeights normalised_weights() const;
  bool without_gradient() const;

  torch::nn::Conv2d conv_{nullptr};
  torch::nn::BatchNorm2d bn_{nullptr};
  ConvUnitSettings settings_;
  std::shared_ptr<FusedConv> folded_;
};

/// A convolution without bias as ConvUnit takes it: padding k / 2 on every side.
torch::nn::Conv2d make_conv(int in, int out, int kernel, int stride = 1, int groups = 1, bool bias = false);
torch::nn::BatchNorm2d make_norm(int channels, double eps = 1e-5);

}  // namespace kindling::detail
