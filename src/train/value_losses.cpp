#include <kindling/train/losses.hpp>

#include "train/loss_parts.hpp"

#include <torch/nn/functional/loss.h>

namespace kindling {

namespace F = torch::nn::functional;
using detail::note;
using torch::Tensor;

namespace {

/// Prediction and target of one shape and one dtype, at least float32.
struct Pair {
  Tensor pred;
  Tensor targ;
};

Pair pair_of(const Tensor& pred, const Tensor& targ) {
  if (pred.numel() != targ.numel()) throw detail::shapes_differ(pred, targ);
  const bool wide = pred.scalar_type() == torch::kFloat32 || pred.scalar_type() == torch::kFloat64;
  const Tensor p = pred.sizes() == targ.sizes() ? pred : pred.reshape(targ.sizes());
  const auto dtype = wide ? pred.scalar_type() : torch::kFloat32;
  return {p.to(dtype), targ.to(dtype)};
}

/// With the labels last, where they have weights.
Pair labels_last(Pair pair, int axis, const std::vector<double>& weight) {
  if (weight.empty()) return pair;
  detail::check_axis(pair.pred, axis);
  Pair moved{pair.pred.movedim(axis, -1), pair.targ.movedim(axis, -1)};
  const auto labels = moved.pred.size(-1);
  if (static_cast<std::int64_t>(weight.size()) != labels) {
    throw Error(ErrorCode::usage, "a loss needs one weight for each label",
                {{"weights", weight.size()}, {"labels", labels}});
  }
  return moved;
}

}  // namespace

LossFunction BCEWithLogitsLossFlat(const BCEWithLogitsOptions& o) {
  auto parts = detail::parts_of(
      "BCEWithLogitsLossFlat",
      [o](const Tensor& pred, const Tensor& targ) {
        const Pair at_labels = labels_last(pair_of(pred, targ), o.axis, o.weight);
        const Pair pair = o.weight.empty() ? labels_last(at_labels, o.axis, o.pos_weight) : at_labels;
        return F::binary_cross_entropy_with_logits(
            pair.pred, pair.targ,
            F::BinaryCrossEntropyWithLogitsFuncOptions()
                .weight(detail::weights_beside(pair.pred, o.weight))
                .pos_weight(detail::weights_beside(pair.pred, o.pos_weight))
                .reduction(torch::kNone));
      },
      o.reduction);
  note(parts.settings, "axis", o.axis, -1);
  note(parts.settings, "thresh", o.thresh, 0.5);
  note(parts.settings, "weight", o.weight, {});
  note(parts.settings, "pos_weight", o.pos_weight, {});
  note(parts.settings, o.reduction, Reduction::mean);
  parts.activation = [](const Tensor& p) { return p.sigmoid(); };
  parts.decodes = [thresh = o.thresh](const Tensor& p) { return p > thresh; };
  return LossFunction(std::move(parts));
}

LossFunction BCELossFlat(const BCEOptions& o) {
  auto parts = detail::parts_of(
      "BCELossFlat",
      [o](const Tensor& pred, const Tensor& targ) {
        const Pair pair = labels_last(pair_of(pred, targ), o.axis, o.weight);
        return F::binary_cross_entropy(pair.pred, pair.targ,
                                       F::BinaryCrossEntropyFuncOptions()
                                           .weight(detail::weights_beside(pair.pred, o.weight))
                                           .reduction(torch::kNone));
      },
      o.reduction);
  note(parts.settings, "axis", o.axis, -1);
  note(parts.settings, "weight", o.weight, {});
  note(parts.settings, o.reduction, Reduction::mean);
  return LossFunction(std::move(parts));
}

LossFunction MSELossFlat(const FlatOptions& o) {
  auto parts = detail::parts_of(
      "MSELossFlat",
      [](const Tensor& pred, const Tensor& targ) {
        const Pair pair = pair_of(pred, targ);
        return (pair.pred - pair.targ).square();
      },
      o.reduction);
  note(parts.settings, o.reduction, Reduction::mean);
  return LossFunction(std::move(parts));
}

LossFunction L1LossFlat(const FlatOptions& o) {
  auto parts = detail::parts_of(
      "L1LossFlat",
      [](const Tensor& pred, const Tensor& targ) {
        const Pair pair = pair_of(pred, targ);
        return (pair.pred - pair.targ).abs();
      },
      o.reduction);
  note(parts.settings, o.reduction, Reduction::mean);
  return LossFunction(std::move(parts));
}

}  // namespace kindling
