#include <kindling/core/error.hpp>
#include <kindling/nn/models.hpp>

#include "nn/image_model.hpp"

#include <deque>
#include <map>
#include <mutex>

#include <torch/nn/module.h>
#include <torch/utils.h>

namespace kindling {
namespace {

// Entries are never removed, so that a reference from `model_info` stays good when a name is registered
// again.
class ModelRegistry {
 public:
  static ModelRegistry& instance() {
    static ModelRegistry registry;
    return registry;
  }

  void add(ModelInfo info) {
    const std::lock_guard lock(mutex_);
    entries_.push_back(std::move(info));
    by_name_[entries_.back().name] = &entries_.back();
  }

  const ModelInfo* find(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }

  std::vector<std::string> names() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [name, info] : by_name_) out.push_back(name);
    return out;
  }

 private:
  ModelRegistry() {
    for (auto&& family :
         {detail::resnet_models(), detail::squeezenet_models(), detail::efficientnet_lite_models()}) {
      for (const ModelInfo& info : family) add(info);
    }
  }

  mutable std::mutex mutex_;
  std::deque<ModelInfo> entries_;
  std::map<std::string, const ModelInfo*> by_name_;
};

}  // namespace

void register_model(ModelInfo info) {
  if (info.name.empty() || !info.make) {
    throw Error(ErrorCode::usage, "a model needs a name and a function that makes it", {{"name", info.name}},
                "set ModelInfo::name and ModelInfo::make");
  }
  if (info.mean.size() != info.std.size()) {
    throw Error(ErrorCode::usage, "a model's mean and std differ in length",
                {{"name", info.name}, {"mean", info.mean.size()}, {"std", info.std.size()}},
                "give one mean and one std a channel, or neither");
  }
  ModelRegistry::instance().add(std::move(info));
}

const ModelInfo& model_info(const std::string& name) {
  if (const ModelInfo* info = ModelRegistry::instance().find(name)) return *info;
  const std::string near = did_you_mean(name, model_names());
  throw Error(ErrorCode::not_found, "there is no model named '" + name + "'" + near, {{"model", name}},
              "`kindling models` lists the names; register_model adds one");
}

std::vector<std::string> model_names() {
  return ModelRegistry::instance().names();
}

std::shared_ptr<Backbone> create_model(const std::string& name, const ModelOptions& options) {
  detail::check_options(options);
  auto model = model_info(name).make(options);
  if (!model) {
    throw Error(ErrorCode::usage, "the registered function made no model", {{"model", name}},
                "return a Backbone from ModelInfo::make");
  }
  return model;
}

torch::Tensor adapt_first_conv(const torch::Tensor& weight, int in_channels) {
  if (weight.dim() != 4 || weight.size(1) != 3 || in_channels < 1) {
    throw Error(ErrorCode::usage, "a first convolution is adapted from 3 channels to one or more",
                {{"weight", c10::str(weight.sizes())}, {"in_channels", in_channels}},
                "pass weights of shape [out, 3, k, k]");
  }
  if (in_channels == 3) return weight;
  if (in_channels == 1) return weight.sum(1, /*keepdim=*/true);
  if (in_channels == 2) return weight.slice(1, 0, 2) * 1.5;
  const auto rest =
      torch::zeros({weight.size(0), in_channels - 3, weight.size(2), weight.size(3)}, weight.options());
  return torch::cat({weight, rest}, 1);
}

void to_channels_last(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (torch::Tensor& parameter : module.parameters()) {
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
  }
}

namespace detail {

void check_options(const ModelOptions& options) {
  if (options.num_classes < 0 || options.in_channels < 1) {
    throw Error(ErrorCode::usage,
                "a model needs at least one input channel and no negative number of classes",
                {{"num_classes", options.num_classes}, {"in_channels", options.in_channels}},
                "num_classes = 0 makes a body without a classifier");
  }
}

torch::Tensor checked_input(const torch::Tensor& x, int in_channels) {
  if (x.dim() != 4 || x.size(1) != in_channels || !x.is_floating_point()) {
    throw Error(
        ErrorCode::usage, "an image model was given a tensor that is not a batch of images",
        {{"expected", "N x " + std::to_string(in_channels) + " x H x W floats"},
         {"got", c10::str(x.sizes(), " ", x.scalar_type())}},
        "a single image needs unsqueeze(0); bytes need division by 255 and the model's normalisation");
  }
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

void require_classifier(const ModelOptions& options) {
  if (options.num_classes > 0) return;
  throw Error(ErrorCode::usage, "this model was made without a classifier", {{"num_classes", 0}},
              "call forward_features, or make it with num_classes");
}

void copy_state(const torch::nn::Module& from, torch::nn::Module& to) {
  const torch::NoGradGuard no_grad;
  const auto source = from.parameters(), target = to.parameters();
  for (std::size_t i = 0; i < source.size(); ++i) {
    torch::Tensor parameter = target[i];
    parameter.set_data(source[i].detach().clone());
    parameter.set_requires_grad(source[i].requires_grad());
  }
  const auto source_buffers = from.buffers(), target_buffers = to.buffers();
  for (std::size_t i = 0; i < source_buffers.size(); ++i) {
    torch::Tensor buffer = target_buffers[i];
    buffer.set_data(source_buffers[i].clone());
  }
  const auto source_modules = from.modules(false), target_modules = to.modules(false);
  to.train(from.is_training());
  for (std::size_t i = 0; i < source_modules.size(); ++i) {
    if (source_modules[i]->children().empty()) target_modules[i]->train(source_modules[i]->is_training());
  }
}

void fold_all(torch::nn::Module& model) {
  for (const auto& module : model.modules()) {
    if (auto* foldable = dynamic_cast<Foldable*>(module.get())) foldable->fold();
  }
}

}  // namespace detail
}  // namespace kindling
