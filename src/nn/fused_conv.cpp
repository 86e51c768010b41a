#include "nn/fused_conv.hpp"

#include <optional>

#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/nn/functional/padding.h>

namespace kindling::detail {
namespace {

using torch::Tensor;
using Sizes = std::vector<std::int64_t>;

// Packing saves a fixed time a call, which large batches do not feel.
constexpr std::int64_t largest_packed_batch = 4;
constexpr std::size_t most_packed_sizes = 3;

// torch's fused oneDNN operators, those that its compiler uses. They are not in the public headers and a
// build without oneDNN lacks them, so they are looked up by name and called by boxed arguments.
struct OneDnn {
  std::optional<c10::OperatorHandle> conv, conv_add, pack;
  static const OneDnn& get() {
    static const OneDnn ops = [] {
      auto& dispatcher = c10::Dispatcher::singleton();
      return OneDnn{dispatcher.findSchema({"mkldnn::_convolution_pointwise", ""}),
                    dispatcher.findSchema({"mkldnn::_convolution_pointwise_", "binary"}),
                    dispatcher.findSchema({"mkldnn::_reorder_convolution_weight", ""})};
    }();
    return ops;
  }
  bool fit(const Tensor& x) const {
    return conv && conv_add && pack && at::globalContext().userEnabledMkldnn() && x.is_cpu() &&
           x.scalar_type() == torch::kFloat && x.dim() == 4 && x.numel() > 0;
  }
};

struct ActArguments {
  const char* name;
  std::vector<double> scalars;
};

ActArguments arguments_of(Activation act) {
  switch (act) {
    case Activation::relu:
      return {"relu", {}};
    case Activation::relu6:
      return {"hardtanh", {0.0, 6.0}};
    case Activation::none:
      break;
  }
  return {"none", {}};
}

c10::List<std::optional<at::Scalar>> scalar_list(const std::vector<double>& values) {
  c10::List<std::optional<at::Scalar>> list;
  for (const double v : values) list.push_back(at::Scalar(v));
  return list;
}

Tensor call(const c10::OperatorHandle& op, std::vector<c10::IValue> arguments) {
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  op.callBoxed(arguments);
  return arguments.at(0).toTensor();
}

Tensor onednn_conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvShape& shape,
                   Activation act, const Tensor& shortcut) {
  const auto [name, scalars] = arguments_of(act);
  const Sizes padding(2, shape.padding), stride(2, shape.stride), dilation(2, 1);
  const c10::IValue no_bias_or = bias.defined() ? c10::IValue(bias) : c10::IValue();
  if (!shortcut.defined()) {
    return call(*OneDnn::get().conv, {x, weight, no_bias_or, padding, stride, dilation, shape.groups, name,
                                      scalar_list(scalars), ""});
  }
  const c10::IValue unary = act == Activation::none ? c10::IValue() : c10::IValue(name);
  return call(*OneDnn::get().conv_add,
              {shortcut, x, weight, no_bias_or, padding, stride, dilation, shape.groups, "add", 1.0, unary,
               scalar_list(scalars), c10::IValue()});
}

bool short_at_start(std::int64_t side, std::int64_t kernel, std::int64_t stride) {
  const std::int64_t total =
      std::max<std::int64_t>(((side + stride - 1) / stride - 1) * stride + kernel - side, 0);
  return total % 2 != 0;
}

}  // namespace

Tensor kernel_for_same_padding(const Tensor& weight, const Tensor& x, const ConvShape& shape) {
  const bool rows = short_at_start(x.size(2), weight.size(2), shape.stride);
  const bool columns = short_at_start(x.size(3), weight.size(3), shape.stride);
  if (!rows && !columns) return weight;
  return torch::constant_pad_nd(weight, {columns, 0, rows, 0}).contiguous(at::MemoryFormat::ChannelsLast);
}

Tensor pad_same(const Tensor& x, const Tensor& weight, const ConvShape& shape) {
  const bool rows = short_at_start(x.size(2), weight.size(2), shape.stride);
  const bool columns = short_at_start(x.size(3), weight.size(3), shape.stride);
  const std::int64_t p = shape.padding;
  return torch::constant_pad_nd(x, {p - columns, p, p - rows, p});
}

Tensor fused_conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvShape& shape,
                  Activation act, const Tensor& shortcut) {
  if (OneDnn::get().fit(x)) return onednn_conv(x, weight, bias, shape, act, shortcut);
  Tensor y = torch::conv2d(x, weight, bias, shape.stride, shape.padding, 1, shape.groups);
  if (shortcut.defined()) y.add_(shortcut);
  activate_(y, act);
  return y;
}

FusedConv::FusedConv(ConvWeights weights, ConvShape shape, Activation act)
    : weights_(std::move(weights)), shape_(shape), act_(act) {}

Tensor FusedConv::operator()(const Tensor& x, const Tensor& shortcut) const {
  return fused_conv(x, weight_for(x), weights_.bias, shape_, act_, shortcut);
}

Tensor FusedConv::weight_for(const Tensor& x) const {
  const bool pack = OneDnn::get().fit(x) && x.size(0) <= largest_packed_batch;
  const std::lock_guard lock(mutex_);
  for (const Packed& packed : packed_) {
    if (x.sizes() == packed.input_size) return packed.weight;
  }
  Tensor weight = shape_.same_padding ? kernel_for_same_padding(weights_.weight, x, shape_) : weights_.weight;
  if (!pack || packed_.size() >= most_packed_sizes) return weight;
  const Sizes padding(2, shape_.padding), stride(2, shape_.stride), dilation(2, 1);
  weight = call(*OneDnn::get().pack, {weight, padding, stride, dilation, shape_.groups, x.sizes().vec()});
  packed_.push_back({x.sizes().vec(), weight});
  return weight;
}

}  // namespace kindling::detail
