#include "nn/conv_unit.hpp"
#include "nn/image_model.hpp"

#include <array>

#include <torch/nn/functional/pooling.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

namespace kindling::detail {
namespace {

using torch::Tensor;

struct ResNetSpec {
  std::array<int, 4> blocks;
  bool bottleneck;
  int expansion() const { return bottleneck ? 4 : 1; }
};

// torchvision's BasicBlock (two 3 x 3) and Bottleneck (1 x 1, 3 x 3 with the stride, 1 x 1).
class ResBlock : public torch::nn::Module, public Foldable {
 public:
  ResBlock(int in, int planes, int stride, const ResNetSpec& spec) {
    const int out = planes * spec.expansion();
    if (spec.bottleneck) {
      add(make_conv(in, planes, 1), Activation::relu);
      add(make_conv(planes, planes, 3, stride), Activation::relu);
      add(make_conv(planes, out, 1), Activation::relu);
    } else {
      add(make_conv(in, planes, 3, stride), Activation::relu);
      add(make_conv(planes, planes, 3), Activation::relu);
    }
    if (stride == 1 && in == out) return;
    auto conv = make_conv(in, out, 1, stride);
    auto bn = make_norm(out);
    register_module("downsample", torch::nn::Sequential(conv, bn));
    downsample_ = ConvUnit(conv, bn, {});
    has_downsample_ = true;
  }

  Tensor forward(const Tensor& x) {
    const Tensor shortcut = has_downsample_ ? downsample_.forward(x) : x;
    Tensor y = x;
    for (std::size_t i = 0; i + 1 < units_.size(); ++i) y = units_[i].forward(y);
    return units_.back().forward_add(y, shortcut);
  }

  void fold() override {
    for (ConvUnit& unit : units_) unit.fold();
    if (has_downsample_) downsample_.fold();
  }

 private:
  void add(torch::nn::Conv2d conv, Activation act) {
    const std::string number = std::to_string(units_.size() + 1);
    register_module("conv" + number, conv);
    auto bn = register_module("bn" + number, make_norm(static_cast<int>(conv->options.out_channels())));
    units_.emplace_back(conv, bn, ConvUnitSettings{.act = act});
  }

  std::vector<ConvUnit> units_;
  ConvUnit downsample_;
  bool has_downsample_ = false;
};

class ResNet : public ImageModel<ResNet, ResNetSpec> {
 public:
  ResNet(const ResNetSpec& spec, const ModelOptions& options) : ImageModel(spec, options) {
    conv1_ = register_module(
        "conv1", torch::nn::Conv2d(
                     torch::nn::Conv2dOptions(options.in_channels, 64, 7).stride(2).padding(3).bias(false)));
    bn1_ = register_module("bn1", make_norm(64));
    stem_ = ConvUnit(conv1_, bn1_, {.act = Activation::relu});
    int in = 64;
    for (int stage = 0; stage < 4; ++stage) {
      const int planes = 64 << stage;
      torch::nn::Sequential layer;
      for (int i = 0; i < spec.blocks[static_cast<std::size_t>(stage)]; ++i) {
        layer->push_back(std::make_shared<ResBlock>(in, planes, stage > 0 && i == 0 ? 2 : 1, spec));
        in = planes * spec.expansion();
      }
      layers_.push_back(register_module("layer" + std::to_string(stage + 1), layer));
    }
    if (options.num_classes > 0)
      fc_ = register_module("fc", torch::nn::Linear(num_features(), options.num_classes));
    initialise();
    to_channels_last(*this);
  }

  Tensor forward_features(Tensor x) override {
    x = stem_.forward(checked_input(x, options_.in_channels));
    x = torch::max_pool2d(x, 3, 2, 1);
    for (const auto& layer : layers_) {
      for (const auto& block : *layer) x = std::static_pointer_cast<ResBlock>(block.ptr())->forward(x);
    }
    return x;
  }

  Tensor forward(Tensor x) override {
    require_classifier(options_);
    return fc_->forward(forward_features(std::move(x)).mean({2, 3}));
  }

  int num_features() const override { return 512 * spec_.expansion(); }

  std::vector<std::vector<std::shared_ptr<Module>>> groups() const override {
    return {{conv1_.ptr(), bn1_.ptr(), layers_[0].ptr(), layers_[1].ptr()},
            {layers_[2].ptr(), layers_[3].ptr()}};
  }

  void fold() override { stem_.fold(); }

 private:
  void initialise() {
    for (const auto& module : modules(false)) {
      if (auto* conv = module->as<torch::nn::Conv2d>()) {
        torch::nn::init::kaiming_normal_(conv->weight, 0, torch::kFanOut, torch::kReLU);
      }
    }
  }

  torch::nn::Conv2d conv1_{nullptr};
  torch::nn::BatchNorm2d bn1_{nullptr};
  ConvUnit stem_;
  std::vector<torch::nn::Sequential> layers_;
  torch::nn::Linear fc_{nullptr};
};

}  // namespace

std::vector<ModelInfo> resnet_models() {
  const std::vector<std::pair<std::string, ResNetSpec>> specs = {{"resnet18", {{2, 2, 2, 2}, false}},
                                                                 {"resnet34", {{3, 4, 6, 3}, false}},
                                                                 {"resnet50", {{3, 4, 6, 3}, true}},
                                                                 {"resnet101", {{3, 4, 23, 3}, true}},
                                                                 {"resnet152", {{3, 8, 36, 3}, true}}};
  std::vector<ModelInfo> models;
  for (const auto& [name, spec] : specs) models.push_back(imagenet_model<ResNet>(name, spec));
  return models;
}

}  // namespace kindling::detail
