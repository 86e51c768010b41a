#include "nn/conv_unit.hpp"

#include <kindling/core/error.hpp>

#include <utility>

#include <torch/nn/functional/conv.h>

namespace kindling::detail {

using torch::Tensor;

namespace {

ConvShape shape_of(const torch::nn::Conv2d& conv, bool same_padding) {
  const auto& o = conv->options;
  return {(*o.stride())[0], std::get<torch::ExpandingArray<2>>(o.padding())->at(0), o.groups(), same_padding};
}

}  // namespace

ConvUnit::ConvUnit(torch::nn::Conv2d conv, torch::nn::BatchNorm2d bn, ConvUnitSettings settings)
    : conv_(std::move(conv)), bn_(std::move(bn)), settings_(settings) {}

bool ConvUnit::without_gradient() const {
  return !torch::GradMode::is_enabled() && (bn_.is_empty() || !bn_->is_training());
}

Tensor ConvUnit::run(const Tensor& x, const Tensor& shortcut) const {
  if (folded_) {
    if (conv_->is_training()) {
      throw Error(ErrorCode::usage, "a net whose batch norms were folded cannot be trained", {},
                  "make the net again from its weights, and train that");
    }
    return (*folded_)(x, shortcut);
  }
  const ConvShape shape = shape_of(conv_, settings_.same_padding);
  if (without_gradient()) {
    const auto [weight, bias] = normalised_weights();
    return fused_conv(x, shape.same_padding ? kernel_for_same_padding(weight, x, shape) : weight, bias, shape,
                      settings_.act, shortcut);
  }
  Tensor y = convolve(x);
  const Activation norm_act = shortcut.defined() ? Activation::none : settings_.act;
  if (!bn_.is_empty()) {
    y = batch_norm_act(y, *bn_.ptr(), norm_act);
  } else {
    activate_(y, norm_act);
  }
  if (shortcut.defined()) {
    y.add_(shortcut);
    activate_(y, settings_.act);
  }
  return y;
}

Tensor ConvUnit::convolve(const Tensor& x) const {
  const ConvShape shape = shape_of(conv_, settings_.same_padding);
  const bool uneven = shape.same_padding && shape.stride > 1;
  return torch::conv2d(uneven ? pad_same(x, conv_->weight, shape) : x, conv_->weight, conv_->bias,
                       shape.stride, uneven ? 0 : shape.padding, 1, shape.groups);
}

ConvWeights ConvUnit::normalised_weights() const {
  if (bn_.is_empty())
    return {conv_->weight.detach(), conv_->bias.defined() ? conv_->bias.detach() : Tensor()};
  const Tensor scale = bn_->weight.detach() * torch::rsqrt(bn_->running_var + bn_->options.eps());
  Tensor bias = bn_->bias.detach() - bn_->running_mean * scale;
  if (conv_->bias.defined()) bias = bias + conv_->bias.detach() * scale;
  return {conv_->weight.detach() * scale.view({-1, 1, 1, 1}), bias};
}

void ConvUnit::fold() {
  if (folded_) return;
  const torch::NoGradGuard no_grad;
  ConvWeights weights = normalised_weights();
  weights.weight = weights.weight.contiguous(at::MemoryFormat::ChannelsLast);
  conv_->weight.set_data(weights.weight);
  folded_ =
      std::make_shared<FusedConv>(std::move(weights), shape_of(conv_, settings_.same_padding), settings_.act);
}

torch::nn::Conv2d make_conv(int in, int out, int kernel, int stride, int groups, bool bias) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).groups(groups).bias(bias));
}

torch::nn::BatchNorm2d make_norm(int channels, double eps) {
  return torch::nn::BatchNorm2d(torch::nn::BatchNorm2dOptions(channels).eps(eps));
}

}  // namespace kindling::detail
