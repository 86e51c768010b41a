#pragma once
/// Losses, with what turns raw outputs into predictions.
///
///   learn.loss_func = CrossEntropyLossFlat({.axis = 1, .weight = {0.2, 0.8}});
///   learn.loss_func = [](const torch::Tensor& p, const torch::Tensor& t) { return (p - t).abs().mean(); };
///
/// Outputs that must stay within a range are the model's business (`HeadOptions::y_range`); every loss takes them as
/// they come.

#include <kindling/core/json.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <torch/types.h>

namespace kindling {

/// A loss: any function of prediction and target giving a scalar tensor converts to one, for several targets a
/// function of the prediction and two targets, or of the prediction and a vector of them. The library's own also
/// know their activation and how to decode.
class LossFunction {
 public:
  using Targets = std::vector<torch::Tensor>;
  using Fn = std::function<torch::Tensor(const torch::Tensor& pred, const Targets& targs)>;
  using Map = std::function<torch::Tensor(const torch::Tensor&)>;

  /// All that a loss can know of itself. Only `loss` is needed.
  struct Parts {
    std::string name = "";           ///< for exports: see `register_loss`
    Json settings = Json::object();  ///< likewise, what the name alone does not say
    Fn loss = {};                    ///< reduced to a scalar
    Fn per_item = {};                ///< N
    Map activation = {};             ///< raw outputs to probabilities or values
    Map decodes = {};                ///< activated outputs to the target's form
    /// Targets are class indices, which cannot be mixed themselves: MixUp mixes the losses instead (fastai `y_int`).
    bool y_int = false;
  };

  LossFunction() = default;
  explicit LossFunction(Parts parts) : parts_(std::move(parts)) {}
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, LossFunction> &&
             (std::is_invocable_r_v<torch::Tensor, F, const torch::Tensor&, const torch::Tensor&> ||
              std::is_invocable_r_v<torch::Tensor, F, const torch::Tensor&, const torch::Tensor&,
                                    const torch::Tensor&> ||
              std::is_invocable_r_v<torch::Tensor, F, const torch::Tensor&, const Targets&>))
  LossFunction(F f) {
    using T = const torch::Tensor&;
    if constexpr (std::is_invocable_r_v<torch::Tensor, F, T, T>)
      parts_.loss = [f = std::move(f)](T pred, const Targets& targs) mutable { return f(pred, only(targs)); };
    else if constexpr (std::is_invocable_r_v<torch::Tensor, F, T, const Targets&>)
      parts_.loss = std::move(f);
    else
      parts_.loss = [f = std::move(f)](T pred, const Targets& targs) mutable {
        const auto& two = exactly(targs, 2);
        return f(pred, two[0], two[1]);
      };
  }

  explicit operator bool() const { return static_cast<bool>(parts_.loss); }
  /// Over the batch, a scalar.
  torch::Tensor operator()(const torch::Tensor& pred, const torch::Tensor& targ) const {
    return parts_.loss(pred, {targ});
  }
  torch::Tensor operator()(const torch::Tensor& pred, const Targets& targs) const {
    return parts_.loss(pred, targs);
  }
  /// One loss an item (N): the mean over all dimensions but the first. Throws `usage` for a loss of the user's own
  /// that has none.
  torch::Tensor per_item(const torch::Tensor& pred, const torch::Tensor& targ) const {
    return per_item(pred, Targets{targ});
  }
  torch::Tensor per_item(const torch::Tensor& pred, const Targets& targs) const;
  /// Raw outputs to probabilities or values; the identity where none is known.
  torch::Tensor activation(const torch::Tensor& pred) const {
    return parts_.activation ? parts_.activation(pred) : pred;
  }
  /// Activated outputs to the target's form.
  torch::Tensor decodes(const torch::Tensor& activated) const {
    return parts_.decodes ? parts_.decodes(activated) : activated;
  }
  bool y_int() const { return parts_.y_int; }
  bool has_per_item() const { return static_cast<bool>(parts_.per_item); }
  /// Name in exports; empty for a function of the user's own.
  const std::string& name() const { return parts_.name; }
  /// The name, or where there are settings {"name": …, settings …}. What exports hold.
  Json to_json() const;

  /// The one target. Throws `usage` where there are none or several.
  static const torch::Tensor& only(const Targets& targs) { return exactly(targs, 1).front(); }

 private:
  static const Targets& exactly(const Targets& targs, std::size_t n);
  Parts parts_;
};

/// How the losses of a batch become one number. Losses an item come from `per_item`, whatever this is.
enum class Reduction { mean, sum };

struct CrossEntropyOptions {
  int axis = -1;                    ///< of the classes; 1 for segmentation
  std::vector<double> weight = {};  ///< one a class; empty: all alike
  std::int64_t ignore_index = -100;
  double label_smoothing = 0;  ///< PyTorch's; fastai's own is LabelSmoothingCrossEntropyFlat
  Reduction reduction = Reduction::mean;
};
/// Cross-entropy of logits with C classes along `axis` and integer classes of the same shape without it; with weights
/// the mean is weighted too. Activation softmax, decodes argmax (fastai `CrossEntropyLossFlat`).
LossFunction CrossEntropyLossFlat(const CrossEntropyOptions& options = {});

struct FocalOptions {
  double gamma = 2;  ///< how much less easy items count
  int axis = -1;
  std::vector<double> weight = {};
  Reduction reduction = Reduction::mean;
};
/// (1 - p)^gamma ce, where ce is the weighted cross-entropy and p = exp(-ce) (Lin et al. 2017; fastai `FocalLossFlat`).
LossFunction FocalLossFlat(const FocalOptions& options = {});
/// The same with the classes along axis 1 (fastai `FocalLoss`).
LossFunction FocalLoss(FocalOptions options = {});

struct LabelSmoothingOptions {
  double eps = 0.1;  ///< part of the loss that all classes share
  int axis = -1;
  std::vector<double> weight = {};  ///< of the part that the target has
  Reduction reduction = Reduction::mean;
};
/// eps / C sum(-log p) + (1 - eps) nll (Szegedy et al. 2016; fastai `LabelSmoothingCrossEntropyFlat`).
LossFunction LabelSmoothingCrossEntropyFlat(const LabelSmoothingOptions& options = {});
/// The same with the classes along axis 1 (fastai `LabelSmoothingCrossEntropy`).
LossFunction LabelSmoothingCrossEntropy(LabelSmoothingOptions options = {});

struct BCEWithLogitsOptions {
  int axis = -1;                        ///< of the labels, for `weight` and `pos_weight`
  double thresh = 0.5;                  ///< decodes to what is above it
  std::vector<double> weight = {};      ///< one a label
  std::vector<double> pos_weight = {};  ///< one a label: how much more a present one counts
  Reduction reduction = Reduction::mean;
};
/// Binary cross-entropy of logits and targets in [0, 1] of as many values; activation sigmoid, decodes to what is above
/// `thresh` (fastai `BCEWithLogitsLossFlat`).
LossFunction BCEWithLogitsLossFlat(const BCEWithLogitsOptions& options = {});

struct BCEOptions {
  int axis = -1;
  std::vector<double> weight = {};  ///< one a label
  Reduction reduction = Reduction::mean;
};
/// Binary cross-entropy of probabilities (fastai `BCELossFlat`).
LossFunction BCELossFlat(const BCEOptions& options = {});

struct FlatOptions {
  Reduction reduction = Reduction::mean;
};
/// Mean squared error of as many values, whatever their shapes (fastai `MSELossFlat`).
LossFunction MSELossFlat(const FlatOptions& options = {});
/// Mean absolute error (fastai `L1LossFlat`).
LossFunction L1LossFlat(const FlatOptions& options = {});

struct DiceLossOptions {
  int axis = 1;
  double smooth = 1e-6;
  Reduction reduction = Reduction::sum;
  bool square_in_union = false;
};
/// Logits N x C x …, integer classes N x …: for each item and class 1 - (2 I + smooth) / (U + smooth), with I =
/// sum(p t) and U = sum(p + t), or sum(p² + t); p is the softmax. Activation softmax, decodes argmax (fastai
/// `DiceLoss`).
LossFunction DiceLoss(const DiceLossOptions& options = {});

struct CombinedLossOptions {
  int axis = 1;
  double smooth = 1;
  double alpha = 1;  ///< weight of the Dice part
};
/// `FocalLossFlat` + alpha `DiceLoss`, for segmentation (the `CombinedLoss` of fastai's documentation).
LossFunction CombinedLoss(const CombinedLossOptions& options = {});

/// The library's loss, or one registered, of that name at its defaults. Throws `bad_model`.
LossFunction loss_from_name(const std::string& name);
/// What `to_json` gave. Throws `bad_model`.
LossFunction loss_from_json(const Json& json);
/// Makes a loss of the user's own loadable: `make` gets what its `to_json` gave (an object, with "name").
void register_loss(const std::string& name, std::function<LossFunction(const Json& settings)> make);

}  // namespace kindling
