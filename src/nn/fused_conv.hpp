#pragma once
// A convolution with bias, shortcut and activation in one call, for inference.

#include "nn/batch_norm_act.hpp"

#include <array>
#include <mutex>
#include <vector>

#include <torch/types.h>

namespace kindling::detail {

struct ConvWeights {
  torch::Tensor weight, bias;
};

struct ConvShape {
  std::int64_t stride = 1;
  std::int64_t padding = 0;  ///< on both sides of both axes
  std::int64_t groups = 1;
  bool same_padding = false;
};

/// The kernel with zeros before its first row (column) where "same" padding is one short at the start: with
/// `padding` zeros on every side it then gives what the uneven padding gives, and no padded copy of `x` is
/// needed.
torch::Tensor kernel_for_same_padding(const torch::Tensor& weight, const torch::Tensor& x,
                                      const ConvShape& shape);

/// `x` with "same" padding's zeros around it, for a convolution without padding of its own. In training this
/// is faster than the larger kernel, for which oneDNN has only a slow weight gradient.
torch::Tensor pad_same(const torch::Tensor& x, const torch::Tensor& weight, const ConvShape& shape);

/// act(conv(x) + shortcut) without autograd; `shortcut` (may be undefined) is overwritten and returned.
torch::Tensor fused_conv(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                         const ConvShape& shape, Activation act, const torch::Tensor& shortcut);

/// A fused convolution with fixed weights, which oneDNN gets in the layout it likes best for the input's
/// size. That layout is made at the first input of a size, for a few sizes. Safe to call from several
/// threads.
class FusedConv {
 public:
  FusedConv(ConvWeights weights, ConvShape shape, Activation act);
  torch::Tensor operator()(const torch::Tensor& x, const torch::Tensor& shortcut) const;

 private:
  struct Packed {
    std::vector<std::int64_t> input_size;
    torch::Tensor weight;
  };
  torch::Tensor weight_for(const torch::Tensor& x) const;

  ConvWeights weights_;
  ConvShape shape_;
  Activation act_;
  mutable std::mutex mutex_;
  mutable std::vector<Packed> packed_;
};

}  // namespace kindling::detail
