#pragma once
// Batch norm and its activation as one step.

#include <torch/nn/modules/batchnorm.h>

namespace kindling::detail {

enum class Activation { none, relu, relu6 };

/// In place, outside of autograd's view.
void activate_(torch::Tensor& x, Activation act);

/// act(bn(x)), updating the running statistics when `bn` is in training mode. On the CPU, channels-last float
/// input in training takes one fused node: it passes over memory half as often as torch's two and saves only
/// `x`.
torch::Tensor batch_norm_act(const torch::Tensor& x, torch::nn::BatchNorm2dImpl& bn, Activation act);

}  // namespace kindling::detail
