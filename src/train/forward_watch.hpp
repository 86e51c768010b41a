#pragma once
// Sees the operations of a forward pass from outside: which parameter an operation took, and what it gave. torch's C++
// modules have no hooks of their own.

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include <torch/types.h>

namespace kindling::detail {

/// As long as it lives, operations of this thread are told. Only one is active at a time: a newer one goes before.
class ForwardWatch {
 public:
  /// `operation` as "aten::conv2d", `param` the watched parameter that it took (or null), `output` its first tensor.
  using OnOperation = std::function<void(std::string_view operation, const void* param, const torch::Tensor& output)>;
  /// Tells operations of layers (convolution, linear, norm, embedding, recurrent) that take one of `params`; and all
  /// called as in `others`. Operations within a told one are left out.
  ForwardWatch(const std::vector<torch::Tensor>& params, std::vector<std::string_view> others,
               OnOperation on_operation);
  ~ForwardWatch();
  ForwardWatch(const ForwardWatch&) = delete;
  ForwardWatch& operator=(const ForwardWatch&) = delete;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace kindling::detail
