#pragma once
/// What the library's losses are made of.

#include <kindling/core/error.hpp>
#include <kindling/train/losses.hpp>

namespace kindling::detail {

/// Losses of single values, in a shape that begins with the items.
using Unreduced = std::function<torch::Tensor(const torch::Tensor& pred, const torch::Tensor& targ)>;

torch::Tensor reduce(const torch::Tensor& losses, Reduction reduction);
/// Mean over all dimensions but the first.
torch::Tensor over_items(const torch::Tensor& losses);
/// As a tensor beside `pred`; undefined where there are none.
torch::Tensor weights_beside(const torch::Tensor& pred, const std::vector<double>& weight);
Error shapes_differ(const torch::Tensor& pred, const torch::Tensor& targ);
/// Throws `usage` unless the axis is one of the tensor's.
void check_axis(const torch::Tensor& pred, int axis);

/// `loss` and `per_item` of a loss that is its single values' mean or sum.
LossFunction::Parts parts_of(std::string name, Unreduced unreduced, Reduction reduction);

/// Settings for JSON: those that are not at their defaults.
template <class T>
void note(Json& settings, const char* name, const T& value, const T& usual) {
  if (value != usual) settings[name] = value;
}
void note(Json& settings, Reduction reduction, Reduction usual);

}  // namespace kindling::detail
