#include "nn/conv_unit.hpp"
#include "nn/image_model.hpp"

#include <set>

#include <torch/nn/functional/dropout.h>
#include <torch/nn/functional/pooling.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/pooling.h>

namespace kindling::detail {
namespace {

using torch::Tensor;

struct FireSpec {
  int in, squeeze, expand;  // `expand` channels from 1 x 1, and as many from 3 x 3
};

struct SqueezeNetSpec {
  int stem_channels, stem_kernel;
  std::vector<FireSpec> fires;
  std::set<std::size_t> pools;  // places in torchvision's `features` that are a max pool; 1 is the first ReLU
};

class Fire : public torch::nn::Module, public Foldable {
 public:
  explicit Fire(const FireSpec& spec)
      : squeeze_(add("squeeze", make_conv(spec.in, spec.squeeze, 1, 1, 1, true))),
        expand1x1_(add("expand1x1", make_conv(spec.squeeze, spec.expand, 1, 1, 1, true))),
        expand3x3_(add("expand3x3", make_conv(spec.squeeze, spec.expand, 3, 1, 1, true))) {}

  Tensor forward(const Tensor& x) {
    const Tensor squeezed = squeeze_.forward(x);
    return torch::cat({expand1x1_.forward(squeezed), expand3x3_.forward(squeezed)}, 1);
  }

  void fold() override {
    for (ConvUnit* unit : {&squeeze_, &expand1x1_, &expand3x3_}) unit->fold();
  }

 private:
  ConvUnit add(const std::string& name, torch::nn::Conv2d conv) {
    register_module(name, conv);
    return ConvUnit(conv, torch::nn::BatchNorm2d(nullptr), {.act = Activation::relu});
  }

  ConvUnit squeeze_, expand1x1_, expand3x3_;
};

class SqueezeNet : public ImageModel<SqueezeNet, SqueezeNetSpec> {
 public:
  SqueezeNet(const SqueezeNetSpec& spec, const ModelOptions& options) : ImageModel(spec, options) {
    features_ = register_module("features", std::make_shared<Module>());
    auto stem = torch::nn::Conv2d(
        torch::nn::Conv2dOptions(options.in_channels, spec.stem_channels, spec.stem_kernel).stride(2));
    features_->register_module("0", stem);
    stem_ = ConvUnit(stem, torch::nn::BatchNorm2d(nullptr), {.act = Activation::relu});
    std::size_t place = 2;
    for (const FireSpec& fire : spec.fires) {
      if (spec.pools.count(place)) ++place;
      fires_.emplace_back(place,
                          features_->register_module(std::to_string(place), std::make_shared<Fire>(fire)));
      ++place;
    }
    if (options.num_classes > 0) add_classifier(options.num_classes);
    initialise();
    to_channels_last(*this);
  }

  Tensor forward_features(Tensor x) override {
    x = stem_.forward(checked_input(x, options_.in_channels));
    for (const auto& [place, fire] : fires_) {
      if (spec_.pools.count(place - 1)) x = torch::max_pool2d(x, 3, 2, 0, 1, /*ceil_mode=*/true);
      x = fire->forward(x);
    }
    return x;
  }

  Tensor forward(Tensor x) override {
    require_classifier(options_);
    x = forward_features(std::move(x));
    x = torch::dropout(x, 0.5, is_training());
    return classifier_.forward(x).mean({2, 3});
  }

  int num_features() const override { return 512; }

  std::vector<std::vector<std::shared_ptr<Module>>> groups() const override {
    std::vector<std::vector<std::shared_ptr<Module>>> out(2);
    for (const auto& child : features_->named_children()) {
      out[std::stoul(child.key()) < 5 ? 0 : 1].push_back(child.value());
    }
    return out;
  }

  void fold() override {
    stem_.fold();
    if (final_conv_) classifier_.fold();
  }

 private:
  // Only the convolution of torchvision's classifier has parameters; it stands at place 1.
  void add_classifier(int num_classes) {
    auto classifier = register_module("classifier", std::make_shared<Module>());
    final_conv_ = make_conv(512, num_classes, 1, 1, 1, true);
    classifier->register_module("1", final_conv_);
    classifier_ = ConvUnit(final_conv_, torch::nn::BatchNorm2d(nullptr), {.act = Activation::relu});
  }

  void initialise() {
    for (const auto& module : modules(false)) {
      auto* conv = module->as<torch::nn::Conv2d>();
      if (conv == nullptr) continue;
      if (final_conv_ && conv == final_conv_.get()) {
        torch::nn::init::normal_(conv->weight, 0.0, 0.01);
      } else {
        torch::nn::init::kaiming_uniform_(conv->weight);
      }
      torch::nn::init::zeros_(conv->bias);
    }
  }

  std::shared_ptr<Module> features_;
  ConvUnit stem_, classifier_;
  std::vector<std::pair<std::size_t, std::shared_ptr<Fire>>> fires_;
  torch::nn::Conv2d final_conv_{nullptr};
};

}  // namespace

std::vector<ModelInfo> squeezenet_models() {
  const SqueezeNetSpec v1_0 = {96,
                               7,
                               {{96, 16, 64},
                                {128, 16, 64},
                                {128, 32, 128},
                                {256, 32, 128},
                                {256, 48, 192},
                                {384, 48, 192},
                                {384, 64, 256},
                                {512, 64, 256}},
                               {2, 6, 11}};
  // 1.1 has a smaller stem, and so a narrower first fire, and pools earlier.
  SqueezeNetSpec v1_1 = v1_0;
  v1_1.stem_channels = v1_1.fires.front().in = 64;
  v1_1.stem_kernel = 3;
  v1_1.pools = {2, 5, 8};
  std::vector<ModelInfo> models;
  models.push_back(imagenet_model<SqueezeNet>("squeezenet1_0", v1_0));
  models.push_back(imagenet_model<SqueezeNet>("squeezenet1_1", v1_1));
  return models;
}

}  // namespace kindling::detail
