#pragma once
/// The image models by name: bodies that pretrained weights fit, with what transfer learning must know of
/// each.
///
///   auto net = create_model("resnet18", {.num_classes = 1000});
///   load_state_dict(*net, pretrained_weights("resnet18"));
///   torch::Tensor logits = net->forward(x);                      // x: N x 3 x H x W float32

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/nn/module.h>
#include <torch/types.h>

namespace kindling {

/// A convolutional net that can stop before its classifier. Parameter names are torchvision's (ResNet,
/// SqueezeNet) and timm's (EfficientNet-Lite).
class Backbone : public torch::nn::Module {
 public:
  /// N x C x H x W float32 to N x num_features() x h x w: what fastai's cut body gives.
  virtual torch::Tensor forward_features(torch::Tensor x) = 0;
  /// N x num_classes logits. Throws `usage` when made with num_classes = 0.
  virtual torch::Tensor forward(torch::Tensor x) = 0;
  /// Channels of `forward_features`.
  virtual int num_features() const = 0;
  /// The body's modules in fastai's split (fastai-facts 4.1), without the classifier: e.g. two groups for a
  /// ResNet.
  virtual std::vector<std::vector<std::shared_ptr<torch::nn::Module>>> groups() const = 0;
  /// Goes into eval mode and multiplies each batch norm into the convolution before it. The model computes
  /// the same afterwards, faster, but can neither be trained, saved, cloned nor moved to another device. Does
  /// nothing but eval() where a model has no such form. `optimize_for_inference` is the usual way here.
  virtual void fold_batch_norm() { eval(); }
};

struct ModelOptions {
  int num_classes = 0;  ///< 0: no classifier (and its parameters do not exist)
  int in_channels = 3;
};

/// What is known of an architecture.
struct ModelInfo {
  std::string name;
  std::function<std::shared_ptr<Backbone>(const ModelOptions&)> make;
  std::string weights;           ///< registry entry that is its default; empty: none
  std::vector<float> mean, std;  ///< normalisation that the default weights expect, on 0..1; empty: none
  int size = 224;                ///< side the weights were trained at
};

/// Adds or replaces a model under its name; from then on programs, exports and `vision_learner` know it.
void register_model(ModelInfo info);
/// Throws `not_found` with near names. Knows resnet18/34/50/101/152, squeezenet1_0/1_1,
/// efficientnet_lite0..4.
const ModelInfo& model_info(const std::string& name);
std::vector<std::string> model_names();
std::shared_ptr<Backbone> create_model(const std::string& name, const ModelOptions& options = {});

/// Puts the kernels of all convolutions into channels-last layout, in place. The built-in models are made so:
/// they compute channels-last whatever the layout of their input.
void to_channels_last(torch::nn::Module& module);

/// Adapts ImageNet weights of a 3-channel first convolution [O, 3, k, k] to `in_channels` as fastai does
/// (fastai-facts 4.1): 1: summed over channels; 2: the first two times 1.5; more than 3: the rest zero.
torch::Tensor adapt_first_conv(const torch::Tensor& weight, int in_channels);

}  // namespace kindling
