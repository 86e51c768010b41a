#include "nn/conv_unit.hpp"
#include "nn/image_model.hpp"

#include <algorithm>
#include <cmath>

#include <torch/nn/init.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

namespace kindling::detail {
namespace {

using torch::Tensor;

constexpr double norm_eps = 1e-3;
constexpr int stem_channels = 32, head_channels = 1280;

struct LiteSpec {
  double width, depth;
};

struct StageSpec {
  int repeats, kernel, stride, expand, channels;
};

// Before scaling. The number of blocks of the first and the last stage is never scaled.
constexpr StageSpec stages[] = {{1, 3, 1, 1, 16},  {2, 3, 2, 6, 24},  {2, 5, 2, 6, 40}, {3, 3, 2, 6, 80},
                                {3, 5, 1, 6, 112}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320}};

// The nearest multiple of 8 that is not more than a tenth smaller (timm `make_divisible`).
int scaled_channels(int channels, double width) {
  const double wanted = channels * width;
  const int rounded = std::max(8, static_cast<int>(wanted + 4) / 8 * 8);
  return rounded < 0.9 * wanted ? rounded + 8 : rounded;
}

// Expansion 1 x 1 (absent where `expand` is 1), depthwise, projection 1 x 1 without activation; the input is
// added where the shapes allow. Without expansion timm counts the norms from bn1 and calls the projection
// conv_pw.
class LiteBlock : public torch::nn::Module, public Foldable {
 public:
  LiteBlock(int in, int out, int stride, const StageSpec& stage) : residual_(stride == 1 && in == out) {
    const int middle = in * stage.expand;
    const ConvUnitSettings active{.act = Activation::relu6, .same_padding = true};
    if (stage.expand > 1) add("conv_pw", make_conv(in, middle, 1), active);
    add("conv_dw", make_conv(middle, middle, stage.kernel, stride, middle), active);
    add(stage.expand > 1 ? "conv_pwl" : "conv_pw", make_conv(middle, out, 1), {.same_padding = true});
  }

  Tensor forward(const Tensor& x) {
    Tensor y = x;
    for (std::size_t i = 0; i + 1 < units_.size(); ++i) y = units_[i].forward(y);
    return residual_ ? units_.back().forward_add(y, x) : units_.back().forward(y);
  }

  void fold() override {
    for (ConvUnit& unit : units_) unit.fold();
  }

 private:
  void add(const std::string& name, torch::nn::Conv2d conv, const ConvUnitSettings& settings) {
    register_module(name, conv);
    const auto channels = static_cast<int>(conv->options.out_channels());
    auto bn = register_module("bn" + std::to_string(units_.size() + 1), make_norm(channels, norm_eps));
    units_.emplace_back(conv, bn, settings);
  }

  bool residual_;
  std::vector<ConvUnit> units_;
};

class EfficientNetLite : public ImageModel<EfficientNetLite, LiteSpec> {
 public:
  EfficientNetLite(const LiteSpec& spec, const ModelOptions& options) : ImageModel(spec, options) {
    const ConvUnitSettings active{.act = Activation::relu6, .same_padding = true};
    conv_stem_ = register_module("conv_stem", make_conv(options.in_channels, stem_channels, 3, 2));
    bn1_ = register_module("bn1", make_norm(stem_channels, norm_eps));
    stem_ = ConvUnit(conv_stem_, bn1_, active);
    const int last = add_blocks();
    conv_head_ = register_module("conv_head", make_conv(last, head_channels, 1));
    bn2_ = register_module("bn2", make_norm(head_channels, norm_eps));
    head_ = ConvUnit(conv_head_, bn2_, active);
    if (options.num_classes > 0) {
      classifier_ = register_module("classifier", torch::nn::Linear(head_channels, options.num_classes));
    }
    initialise();
    to_channels_last(*this);
  }

  Tensor forward_features(Tensor x) override {
    x = stem_.forward(checked_input(x, options_.in_channels));
    for (const auto& block : order_) x = block->forward(x);
    return head_.forward(x);
  }

  Tensor forward(Tensor x) override {
    require_classifier(options_);
    return classifier_->forward(forward_features(std::move(x)).mean({2, 3}));
  }

  int num_features() const override { return head_channels; }

  std::vector<std::vector<std::shared_ptr<Module>>> groups() const override {
    return {{conv_stem_.ptr(), bn1_.ptr(), blocks_.ptr(), conv_head_.ptr(), bn2_.ptr()}};
  }

  void fold() override {
    stem_.fold();
    head_.fold();
  }

 private:
  // Returns the channels of the last block.
  int add_blocks() {
    int in = stem_channels;
    for (const StageSpec& stage : stages) {
      const bool fixed = &stage == std::begin(stages) || &stage == std::end(stages) - 1;
      const int repeats = fixed ? stage.repeats : static_cast<int>(std::ceil(stage.repeats * spec_.depth));
      const int out = scaled_channels(stage.channels, spec_.width);
      torch::nn::ModuleList sequence;
      for (int i = 0; i < repeats; ++i) {
        order_.push_back(std::make_shared<LiteBlock>(in, out, i == 0 ? stage.stride : 1, stage));
        sequence->push_back(order_.back());
        in = out;
      }
      blocks_->push_back(sequence);
    }
    register_module("blocks", blocks_);
    return in;
  }

  // timm's `_init_weight_goog`: normal by the fan-out of a group.
  void initialise() {
    for (const auto& module : modules(false)) {
      if (auto* conv = module->as<torch::nn::Conv2d>()) {
        const double fan_out = static_cast<double>(conv->weight.numel()) /
                               static_cast<double>(conv->weight.size(1)) /
                               static_cast<double>(conv->options.groups());
        torch::nn::init::normal_(conv->weight, 0.0, std::sqrt(2.0 / fan_out));
      } else if (auto* linear = module->as<torch::nn::Linear>()) {
        const double bound = 1.0 / std::sqrt(static_cast<double>(linear->options.out_features()));
        torch::nn::init::uniform_(linear->weight, -bound, bound);
        torch::nn::init::zeros_(linear->bias);
      }
    }
  }

  torch::nn::Conv2d conv_stem_{nullptr}, conv_head_{nullptr};
  torch::nn::BatchNorm2d bn1_{nullptr}, bn2_{nullptr};
  torch::nn::ModuleList blocks_;
  torch::nn::Linear classifier_{nullptr};
  ConvUnit stem_, head_;
  std::vector<std::shared_ptr<LiteBlock>> order_;
};

}  // namespace

std::vector<ModelInfo> efficientnet_lite_models() {
  const std::vector<std::pair<LiteSpec, int>> sizes = {
      {{1.0, 1.0}, 224}, {{1.0, 1.1}, 240}, {{1.1, 1.2}, 260}, {{1.2, 1.4}, 300}, {{1.4, 1.8}, 380}};
  std::vector<ModelInfo> models;
  for (const auto& [spec, size] : sizes) {
    const std::string name = "efficientnet_lite" + std::to_string(models.size());
    // The file behind lite0 was trained with (x - 127) / 128; timm's files of the others with (x - 127.5) /
    // 127.5.
    const float mean = models.empty() ? 127.0f / 255 : 0.5f, std = models.empty() ? 128.0f / 255 : 0.5f;
    models.push_back({.name = name,
                      .make =
                          [spec = spec](const ModelOptions& options) {
                            return std::make_shared<EfficientNetLite>(spec, options);
                          },
                      .weights = name,
                      .mean = std::vector<float>(3, mean),
                      .std = std::vector<float>(3, std),
                      .size = size});
  }
  return models;
}

}  // namespace kindling::detail
