#pragma once
// What the built-in image models share.

#include <kindling/nn/models.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace kindling::detail {

/// A module whose convolution units `fold_batch_norm` reaches.
class Foldable {
 public:
  virtual void fold() = 0;

 protected:
  ~Foldable() = default;
};

/// Channels-last, after a check that `x` is N x in_channels x H x W of floats. Throws `usage`.
torch::Tensor checked_input(const torch::Tensor& x, int in_channels);
/// Throws `usage` for a model made without a classifier.
void require_classifier(const ModelOptions& options);
/// Throws `usage` for sizes that no model can have.
void check_options(const ModelOptions& options);
/// Copies parameters, buffers, `requires_grad` and training modes between two modules of the same build.
void copy_state(const torch::nn::Module& from, torch::nn::Module& to);
void fold_all(torch::nn::Module& model);

/// A backbone made from a specification of its family and the user's options.
template <class Model, class Spec>
class ImageModel : public Backbone, public Foldable {
 public:
  ImageModel(Spec spec, const ModelOptions& options) : spec_(std::move(spec)), options_(options) {
    check_options(options);
  }

  void fold_batch_norm() override {
    eval();
    fold_all(*this);
  }

  /// An independent copy. One of a folded model is not possible.
  std::shared_ptr<Module> clone(const std::optional<torch::Device>& device = std::nullopt) const override {
    auto copy = std::make_shared<Model>(spec_, options_);
    copy_state(*this, *copy);
    if (device) copy->to(*device);
    return copy;
  }

 protected:
  Spec spec_;
  ModelOptions options_;
};

/// What each family adds to the registry.
std::vector<ModelInfo> resnet_models();
std::vector<ModelInfo> squeezenet_models();
std::vector<ModelInfo> efficientnet_lite_models();

/// Mean and standard deviation of ImageNet's channels, on 0..1.
inline const std::vector<float> imagenet_mean = {0.485f, 0.456f, 0.406f};
inline const std::vector<float> imagenet_std = {0.229f, 0.224f, 0.225f};

/// Entry of a model trained on ImageNet at 224 pixels, whose default weights have its own name.
template <class Model, class Spec>
ModelInfo imagenet_model(const std::string& name, const Spec& spec) {
  return {.name = name,
          .make = [spec](const ModelOptions& options) { return std::make_shared<Model>(spec, options); },
          .weights = name,
          .mean = imagenet_mean,
          .std = imagenet_std,
          .size = 224};
}

}  // namespace kindling::detail
