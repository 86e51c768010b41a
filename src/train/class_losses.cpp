#include <kindling/train/losses.hpp>

#include "train/loss_parts.hpp"

#include <torch/nn/functional/loss.h>

namespace kindling {

namespace F = torch::nn::functional;
using detail::note;
using torch::Tensor;

namespace {

using Targets = LossFunction::Targets;

/// One place a row: logits P x C and classes P, int64.
struct Places {
  Tensor pred;
  Tensor targ;
};

void check_weights(const std::vector<double>& weight, std::int64_t classes) {
  if (weight.empty() || static_cast<std::int64_t>(weight.size()) == classes) return;
  throw Error(ErrorCode::usage, "a loss needs one weight for each class",
              {{"weights", weight.size()}, {"classes", classes}});
}

Places places_of(const Tensor& pred, const Tensor& targ, int axis, const std::vector<double>& weight) {
  detail::check_axis(pred, axis);
  const Tensor last = pred.movedim(axis, -1);
  const auto classes = last.size(-1);
  check_weights(weight, classes);
  if (classes == 0 || targ.numel() * classes != pred.numel()) throw detail::shapes_differ(pred, targ);
  return {last.reshape({-1, classes}), targ.reshape({-1}).to(torch::kInt64)};
}

/// torch refuses a class that is not there with an index; here it is a defect of the data.
template <class Compute>
Tensor with_known_classes(const Tensor& targ, std::int64_t classes, Compute&& compute) try {
  return compute();
} catch (const c10::IndexError&) {
  throw Error(ErrorCode::bad_data, "a target is a class that the model has no output for",
              {{"largest", targ.max().item<std::int64_t>()},
               {"smallest", targ.min().item<std::int64_t>()},
               {"outputs", classes}},
              "make the model with as many outputs as there are classes");
}

F::CrossEntropyFuncOptions torch_options(const CrossEntropyOptions& o, const Tensor& pred) {
  F::CrossEntropyFuncOptions options;
  options.weight(detail::weights_beside(pred, o.weight))
      .ignore_index(o.ignore_index)
      .label_smoothing(o.label_smoothing);
  return options;
}

/// Losses of single places, in the shape of the targets.
Tensor cross_entropies(const Tensor& pred, const Tensor& targ, const CrossEntropyOptions& o) {
  const Places places = places_of(pred, targ, o.axis, o.weight);
  return with_known_classes(places.targ, places.pred.size(1), [&] {
    return F::cross_entropy(places.pred, places.targ, torch_options(o, pred).reduction(torch::kNone))
        .reshape(targ.sizes());
  });
}

Tensor cross_entropy(const Tensor& pred, const Tensor& targ, const CrossEntropyOptions& o) {
  auto options = torch_options(o, pred);
  if (o.reduction == Reduction::sum) options.reduction(torch::kSum);
  // torch takes the classes at axis 1: masks then need no copy of all logits.
  if (o.axis == 1 && targ.dim() == pred.dim() - 1 && pred.dim() > 2) {
    check_weights(o.weight, pred.size(1));
    return with_known_classes(targ, pred.size(1),
                              [&] { return F::cross_entropy(pred, targ.to(torch::kInt64), options); });
  }
  const Places places = places_of(pred, targ, o.axis, o.weight);
  return with_known_classes(places.targ, places.pred.size(1),
                            [&] { return F::cross_entropy(places.pred, places.targ, options); });
}

Tensor focal(const Tensor& pred, const Tensor& targ, const FocalOptions& o) {
  const Tensor ce = cross_entropies(pred, targ, {.axis = o.axis, .weight = o.weight});
  return (1 - (-ce).exp()).pow(o.gamma) * ce;
}

/// The two parts of label smoothing, single places: what all classes share, and what the target has.
Tensor smoothed(const Tensor& pred, const Tensor& targ, const LabelSmoothingOptions& o) {
  const Places places = places_of(pred, targ, o.axis, o.weight);
  const auto classes = places.pred.size(1);
  const Tensor log_probs = places.pred.log_softmax(1);
  const Tensor nll = with_known_classes(places.targ, classes, [&] {
    return F::nll_loss(log_probs, places.targ,
                       F::NLLLossFuncOptions().weight(detail::weights_beside(pred, o.weight)).reduction(torch::kNone));
  });
  return (-log_probs.sum(1) * (o.eps / static_cast<double>(classes)) + (1 - o.eps) * nll).reshape(targ.sizes());
}

/// The mean of the target's part is weighted by the classes' weights, that of the shared part is not.
Tensor mean_smoothed(const Tensor& pred, const Tensor& targ, const LabelSmoothingOptions& o) {
  const Places places = places_of(pred, targ, o.axis, o.weight);
  const auto classes = places.pred.size(1);
  const Tensor log_probs = places.pred.log_softmax(1);
  const Tensor nll = with_known_classes(places.targ, classes, [&] {
    return F::nll_loss(log_probs, places.targ,
                       F::NLLLossFuncOptions().weight(detail::weights_beside(pred, o.weight)));
  });
  return -log_probs.sum(1).mean() * (o.eps / static_cast<double>(classes)) + (1 - o.eps) * nll;
}

/// N x C: of each item and class.
Tensor dice(const Tensor& pred, const Tensor& targ, const DiceLossOptions& o) {
  detail::check_axis(pred, o.axis);
  const Tensor moved = pred.softmax(o.axis).movedim(o.axis, 1);
  const Tensor probs = moved.reshape({moved.size(0), moved.size(1), -1});
  if (targ.numel() * probs.size(1) != probs.numel()) throw detail::shapes_differ(pred, targ);
  const Tensor classes = torch::arange(probs.size(1), targ.options()).reshape({1, -1, 1});
  const Tensor truth = (targ.reshape({probs.size(0), 1, -1}) == classes).to(probs.scalar_type());
  const Tensor common = (probs * truth).sum(2);
  const Tensor all = ((o.square_in_union ? probs.square() : probs) + truth).sum(2);
  return 1 - (2 * common + o.smooth) / (all + o.smooth);
}

/// Softmax and argmax along an axis: what all losses of classes share.
LossFunction of_classes(LossFunction::Parts parts, int axis, bool y_int = true) {
  parts.activation = [axis](const Tensor& p) { return p.softmax(axis); };
  parts.decodes = [axis](const Tensor& p) { return p.argmax(axis); };
  parts.y_int = y_int;
  return LossFunction(std::move(parts));
}

LossFunction focal_loss(const char* name, const FocalOptions& o, int usual_axis) {
  auto parts = detail::parts_of(
      name, [o](const Tensor& pred, const Tensor& targ) { return focal(pred, targ, o); }, o.reduction);
  note(parts.settings, "gamma", o.gamma, 2.0);
  note(parts.settings, "axis", o.axis, usual_axis);
  note(parts.settings, "weight", o.weight, {});
  note(parts.settings, o.reduction, Reduction::mean);
  return of_classes(std::move(parts), o.axis);
}

LossFunction smoothing_loss(const char* name, const LabelSmoothingOptions& o, int usual_axis) {
  auto parts = detail::parts_of(
      name, [o](const Tensor& pred, const Tensor& targ) { return smoothed(pred, targ, o); }, o.reduction);
  if (o.reduction == Reduction::mean) {
    parts.loss = [o](const Tensor& pred, const Targets& targs) {
      return mean_smoothed(pred, LossFunction::only(targs), o);
    };
  }
  note(parts.settings, "eps", o.eps, 0.1);
  note(parts.settings, "axis", o.axis, usual_axis);
  note(parts.settings, "weight", o.weight, {});
  note(parts.settings, o.reduction, Reduction::mean);
  return of_classes(std::move(parts), o.axis);
}

}  // namespace

LossFunction CrossEntropyLossFlat(const CrossEntropyOptions& o) {
  LossFunction::Parts parts{
      .name = "CrossEntropyLossFlat",
      .loss =
          [o](const Tensor& pred, const Targets& targs) {
            return cross_entropy(pred, LossFunction::only(targs), o);
          },
      .per_item =
          [o](const Tensor& pred, const Targets& targs) {
            return detail::over_items(cross_entropies(pred, LossFunction::only(targs), o));
          }};
  note(parts.settings, "axis", o.axis, -1);
  note(parts.settings, "weight", o.weight, {});
  note(parts.settings, "ignore_index", o.ignore_index, std::int64_t{-100});
  note(parts.settings, "label_smoothing", o.label_smoothing, 0.0);
  note(parts.settings, o.reduction, Reduction::mean);
  return of_classes(std::move(parts), o.axis);
}

LossFunction FocalLossFlat(const FocalOptions& o) {
  return focal_loss("FocalLossFlat", o, -1);
}
LossFunction FocalLoss(FocalOptions o) {
  o.axis = 1;
  return focal_loss("FocalLoss", o, 1);
}

LossFunction LabelSmoothingCrossEntropyFlat(const LabelSmoothingOptions& o) {
  return smoothing_loss("LabelSmoothingCrossEntropyFlat", o, -1);
}
LossFunction LabelSmoothingCrossEntropy(LabelSmoothingOptions o) {
  o.axis = 1;
  return smoothing_loss("LabelSmoothingCrossEntropy", o, 1);
}

LossFunction DiceLoss(const DiceLossOptions& o) {
  auto parts = detail::parts_of(
      "DiceLoss", [o](const Tensor& pred, const Tensor& targ) { return dice(pred, targ, o); }, o.reduction);
  note(parts.settings, "axis", o.axis, 1);
  note(parts.settings, "smooth", o.smooth, 1e-6);
  note(parts.settings, "square_in_union", o.square_in_union, false);
  note(parts.settings, o.reduction, Reduction::sum);
  return of_classes(std::move(parts), o.axis, /*y_int=*/false);
}

LossFunction CombinedLoss(const CombinedLossOptions& o) {
  const LossFunction focal_part = FocalLossFlat({.axis = o.axis});
  const LossFunction dice_part = DiceLoss({.axis = o.axis, .smooth = o.smooth});
  LossFunction::Parts parts{
      .name = "CombinedLoss",
      .loss = [=](const Tensor& pred,
                  const Targets& targs) { return focal_part(pred, targs) + o.alpha * dice_part(pred, targs); },
      .per_item =
          [=](const Tensor& pred, const Targets& targs) {
            return focal_part.per_item(pred, targs) + o.alpha * dice_part.per_item(pred, targs);
          }};
  note(parts.settings, "axis", o.axis, 1);
  note(parts.settings, "smooth", o.smooth, 1.0);
  note(parts.settings, "alpha", o.alpha, 1.0);
  return of_classes(std::move(parts), o.axis, /*y_int=*/false);
}

}  // namespace kindling
