#pragma once
// fastai's two layers that torch lacks.

#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

namespace kindling::detail {

class AdaptiveConcatPool2dImpl : public torch::nn::Cloneable<AdaptiveConcatPool2dImpl> {
 public:
  void reset() override {}
  torch::Tensor forward(const torch::Tensor& x);
};
TORCH_MODULE(AdaptiveConcatPool2d);

class SigmoidRangeImpl : public torch::nn::Cloneable<SigmoidRangeImpl> {
 public:
  SigmoidRangeImpl(double low_value, double high_value) : low(low_value), high(high_value) {}
  void reset() override {}
  torch::Tensor forward(const torch::Tensor& x);
  double low, high;
};
TORCH_MODULE(SigmoidRange);

}  // namespace kindling::detail
