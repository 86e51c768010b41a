#pragma once
/// A trained net made fast for answering: batch norms multiplied into the layers beside them, activations
/// fused, weights in the layout that the processor's kernels like best.
///
///   auto net = optimize_for_inference(body, head);          // takes both over: not to be trained any more
///   torch::Tensor logits = net->forward(x);                 // from any number of threads

#include <kindling/nn/models.hpp>

#include <memory>

#include <torch/nn/modules/container/sequential.h>

namespace kindling {

/// A body with a head, for inference only. `forward` is const and may be called from several threads at once.
class InferenceNet {
 public:
  /// Folds `body` and `head` in place (`head` may be empty: then the result is the features'). They must not
  /// be used for anything else afterwards. Do it after the weights are loaded and the net is on its device.
  InferenceNet(std::shared_ptr<Backbone> body, torch::nn::Sequential head);

  /// N x C x H x W float32 to what the head gives, computed under `c10::InferenceMode`: the result is an
  /// inference tensor, which autograd does not accept. The first call with a size of input takes some
  /// milliseconds longer.
  torch::Tensor forward(const torch::Tensor& x) const;

 private:
  std::shared_ptr<Backbone> body_;
  std::shared_ptr<torch::nn::SequentialImpl> head_;
};

std::shared_ptr<const InferenceNet> optimize_for_inference(std::shared_ptr<Backbone> body,
                                                           torch::nn::Sequential head);

/// Goes into eval mode and multiplies each 1-d batch norm into the linear layer after it, or before it where
/// nothing stands between; leaves dropout out. The layers' places change. A norm beside which no linear layer
/// stands stays.
void fold_batch_norm(torch::nn::Sequential& head);

}  // namespace kindling
