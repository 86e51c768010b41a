#include <kindling/core/error.hpp>
#include <kindling/nn/inference.hpp>

#include <optional>
#include <vector>

#include <c10/core/InferenceMode.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

namespace kindling {
namespace {

using torch::Tensor;
using torch::nn::AnyModule;

// What batch norm in eval mode does: x * scale + offset.
struct Affine {
  Tensor scale, offset;
};

Affine affine_of(const torch::nn::BatchNorm1dImpl& bn) {
  Tensor scale = torch::rsqrt(bn.running_var + bn.options.eps());
  Tensor offset = -bn.running_mean * scale;
  if (bn.weight.defined()) {
    scale = scale * bn.weight;
    offset = offset * bn.weight + bn.bias;
  }
  return {scale, offset};
}

torch::nn::Linear linear_of(const Tensor& weight, const Tensor& bias) {
  torch::nn::Linear linear(torch::nn::LinearOptions(weight.size(1), weight.size(0)));
  linear->weight.set_data(weight.contiguous());
  linear->bias.set_data(bias.contiguous());
  return linear;
}

Tensor bias_of(const torch::nn::LinearImpl& linear) {
  return linear.bias.defined() ? linear.bias : torch::zeros({linear.weight.size(0)}, linear.weight.options());
}

// linear(x * scale + offset)
torch::nn::Linear fold_before(const Affine& a, const torch::nn::LinearImpl& linear) {
  return linear_of(linear.weight * a.scale, bias_of(linear) + linear.weight.mv(a.offset));
}

// linear(x) * scale + offset
torch::nn::Linear fold_after(const torch::nn::LinearImpl& linear, const Affine& a) {
  return linear_of(linear.weight * a.scale.unsqueeze(1), bias_of(linear) * a.scale + a.offset);
}

template <class Module>
Module* as(const AnyModule& layer) {
  return dynamic_cast<Module*>(layer.ptr().get());
}

bool can_fold(const torch::nn::BatchNorm1dImpl* bn) {
  return bn != nullptr && bn->running_mean.defined();
}

std::vector<AnyModule> without_dropout(const torch::nn::SequentialImpl& head) {
  std::vector<AnyModule> layers;
  for (const AnyModule& layer : head) {
    if (as<torch::nn::DropoutImpl>(layer) == nullptr) layers.push_back(layer);
  }
  return layers;
}

}  // namespace

void fold_batch_norm(torch::nn::Sequential& head) {
  const torch::NoGradGuard no_grad;
  const std::vector<AnyModule> layers = without_dropout(*head);
  std::vector<AnyModule> folded;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    auto* bn = as<torch::nn::BatchNorm1dImpl>(layers[i]);
    if (!can_fold(bn)) {
      folded.push_back(layers[i]);
    } else if (i + 1 < layers.size() && as<torch::nn::LinearImpl>(layers[i + 1]) != nullptr) {
      folded.emplace_back(fold_before(affine_of(*bn), *as<torch::nn::LinearImpl>(layers[i + 1])));
      ++i;
    } else if (!folded.empty() && as<torch::nn::LinearImpl>(folded.back()) != nullptr) {
      folded.back() = AnyModule(fold_after(*as<torch::nn::LinearImpl>(folded.back()), affine_of(*bn)));
    } else {
      folded.push_back(layers[i]);
    }
  }
  torch::nn::Sequential result;
  for (AnyModule& layer : folded) result->push_back(std::move(layer));
  result->eval();
  head = result;
}

InferenceNet::InferenceNet(std::shared_ptr<Backbone> body, torch::nn::Sequential head)
    : body_(std::move(body)) {
  if (!body_) {
    throw Error(ErrorCode::usage, "an inference net needs a body", {}, "create_model makes one");
  }
  body_->fold_batch_norm();
  if (head.is_empty() || head->is_empty()) return;
  fold_batch_norm(head);
  head_ = head.ptr();
}

torch::Tensor InferenceNet::forward(const torch::Tensor& x) const {
  const c10::InferenceMode inference;
  const Tensor features = body_->forward_features(x);
  return head_ ? head_->forward(features) : features;
}

std::shared_ptr<const InferenceNet> optimize_for_inference(std::shared_ptr<Backbone> body,
                                                           torch::nn::Sequential head) {
  return std::make_shared<const InferenceNet>(std::move(body), std::move(head));
}

}  // namespace kindling
