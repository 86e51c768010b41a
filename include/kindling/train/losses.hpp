#pragma once
/// Losses, with what turns raw outputs into predictions.

#include <functional>
#include <string>

#include <torch/types.h>

namespace kindling {

/// A loss: any function of prediction and target giving a scalar tensor converts to one. The library's own
/// also know their activation and how to decode.
class LossFunction {
 public:
  using Fn = std::function<torch::Tensor(const torch::Tensor& pred, const torch::Tensor& targ)>;
  using Map = std::function<torch::Tensor(const torch::Tensor&)>;

  LossFunction() = default;
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, LossFunction> &&
             std::is_invocable_r_v<torch::Tensor, F, const torch::Tensor&, const torch::Tensor&>)
  LossFunction(F f) : fn_(std::move(f)) {}
  LossFunction(std::string name, Fn mean, Fn per_item, Map activation, Map decodes)
      : name_(std::move(name)),
        fn_(std::move(mean)),
        per_item_(std::move(per_item)),
        activation_(std::move(activation)),
        decodes_(std::move(decodes)) {}

  explicit operator bool() const { return static_cast<bool>(fn_); }
  /// Mean over the batch.
  torch::Tensor operator()(const torch::Tensor& pred, const torch::Tensor& targ) const {
    return fn_(pred, targ);
  }
  /// One loss an item (N). Throws `usage` for a loss of the user's own that has none.
  torch::Tensor per_item(const torch::Tensor& pred, const torch::Tensor& targ) const;
  /// Raw outputs to probabilities or values; the identity where none is known.
  torch::Tensor activation(const torch::Tensor& pred) const { return activation_ ? activation_(pred) : pred; }
  /// Activated outputs to the target's form.
  torch::Tensor decodes(const torch::Tensor& activated) const {
    return decodes_ ? decodes_(activated) : activated;
  }
  /// Name in exports; empty for a function of the user's own.
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  Fn fn_;
  Fn per_item_;
  Map activation_;
  Map decodes_;
};

/// Cross-entropy of N x C logits and N int64 classes; activation softmax, decodes argmax (fastai
/// `CrossEntropyLossFlat`).
LossFunction CrossEntropyLossFlat();
/// Mean squared error of both flattened (fastai `MSELossFlat`).
LossFunction MSELossFlat();

/// The library's loss of that name, for exports. Throws `bad_model`.
LossFunction loss_from_name(const std::string& name);

}  // namespace kindling
