#include <kindling/core/error.hpp>
#include <kindling/tabular/model.hpp>

#include "nn/head_layers.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include <torch/nn/init.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

namespace kindling {

namespace {

void check_sizes(const std::vector<EmbSize>& emb_szs, int n_cont, int out_sz, const std::vector<int>& layers,
                 const TabularConfig& config) {
  bool good = n_cont >= 0 && out_sz > 0 && (n_cont > 0 || !emb_szs.empty());
  for (const auto& [n, size] : emb_szs) good = good && n > 0 && size > 0;
  for (const int width : layers) good = good && width > 0;
  good = good && (config.ps.size() <= 1 || config.ps.size() == layers.size());
  if (good && config.y_range) good = config.y_range->first < config.y_range->second;
  if (good) return;
  throw Error(ErrorCode::usage, "a net for tables cannot be made with these options",
              {{"embeddings", emb_szs.size()}, {"n_cont", n_cont}, {"out_sz", out_sz}, {"layers", layers.size()},
               {"ps", config.ps.size()}},
              "widths are positive, ps is empty, one for all, or one a hidden layer, and y_range goes from low to high");
}

/// A Sequential whose forward is no template, as a part of another one must be.
struct LayerBlockImpl : torch::nn::SequentialImpl {
  using SequentialImpl::SequentialImpl;
  torch::Tensor forward(torch::Tensor x) { return SequentialImpl::forward(x); }
};
TORCH_MODULE(LayerBlock);

struct LayerSpec {
  int in, out;
  bool bn;
  double dropout;
  bool activation;
};

/// fastai's LinBnDrop.
LayerBlock lin_bn_drop(const LayerSpec& layer, bool lin_first) {
  LayerBlock block;
  const auto linear = [&] {
    block->push_back(torch::nn::Linear(torch::nn::LinearOptions(layer.in, layer.out).bias(!layer.bn)));
    if (layer.activation) block->push_back(torch::nn::ReLU(torch::nn::ReLUOptions().inplace(true)));
  };
  if (lin_first) linear();
  if (layer.bn) {
    torch::nn::BatchNorm1d bn(lin_first ? layer.out : layer.in);
    torch::nn::init::constant_(bn->bias, 1e-3);
    block->push_back(bn);
  }
  if (layer.dropout != 0) block->push_back(torch::nn::Dropout(layer.dropout));
  if (!lin_first) linear();
  return block;
}

}  // namespace

std::int64_t emb_sz_rule(std::int64_t n_cat) {
  // Python rounds halves to even, as nearbyint does.
  return std::min<std::int64_t>(600, std::lrint(std::nearbyint(1.6 * std::pow(static_cast<double>(n_cat), 0.56))));
}

Json to_json(const TabularConfig& c) {
  Json json = {{"ps", c.ps},           {"embed_p", c.embed_p}, {"use_bn", c.use_bn},
               {"bn_final", c.bn_final}, {"bn_cont", c.bn_cont}, {"lin_first", c.lin_first}};
  if (c.y_range) json["y_range"] = {c.y_range->first, c.y_range->second};
  return json;
}

TabularConfig tabular_config_from_json(const Json& json) {
  TabularConfig c{.ps = json.at("ps").get<std::vector<double>>(),
                  .embed_p = json.at("embed_p").get<double>(),
                  .use_bn = json.at("use_bn").get<bool>(),
                  .bn_final = json.at("bn_final").get<bool>(),
                  .bn_cont = json.at("bn_cont").get<bool>(),
                  .lin_first = json.at("lin_first").get<bool>()};
  if (json.contains("y_range")) c.y_range = {{json["y_range"].at(0).get<double>(), json["y_range"].at(1).get<double>()}};
  return c;
}

torch::nn::Embedding trunc_normal_embedding(std::int64_t n, std::int64_t size, double std) {
  torch::nn::Embedding embedding(n, size);
  torch::NoGradGuard no_grad;
  embedding->weight.normal_().fmod_(2).mul_(std);
  return embedding;
}

TabularModel::TabularModel(const std::vector<EmbSize>& emb_szs, int n_cont, int out_sz, const std::vector<int>& layers,
                           const TabularConfig& config)
    : n_cont_(n_cont) {
  check_sizes(emb_szs, n_cont, out_sz, layers, config);
  torch::nn::ModuleList embeds;
  std::int64_t n_emb = 0;
  for (const auto& [n, size] : emb_szs) {
    embeds_.push_back(trunc_normal_embedding(n, size));
    embeds->push_back(embeds_.back());
    n_emb += size;
  }
  register_module("embeds", embeds);
  emb_drop_ = register_module("emb_drop", torch::nn::Dropout(config.embed_p));
  if (config.bn_cont) bn_cont_ = register_module("bn_cont", torch::nn::BatchNorm1d(n_cont));
  std::vector<int> sizes = {static_cast<int>(n_emb) + n_cont};
  sizes.insert(sizes.end(), layers.begin(), layers.end());
  sizes.push_back(out_sz);
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    const bool last = i + 2 == sizes.size();
    const double p = last || config.ps.empty() ? 0 : config.ps[config.ps.size() == 1 ? 0 : i];
    layers_->push_back(lin_bn_drop({.in = sizes[i],
                                    .out = sizes[i + 1],
                                    .bn = config.use_bn && (!last || config.bn_final),
                                    .dropout = p,
                                    .activation = !last},
                                   config.lin_first));
  }
  if (config.y_range) layers_->push_back(detail::SigmoidRange(config.y_range->first, config.y_range->second));
  register_module("layers", layers_);
}

torch::Tensor TabularModel::forward(const torch::Tensor& x_cat, const torch::Tensor& x_cont) {
  torch::Tensor x;
  if (!embeds_.empty()) {
    std::vector<torch::Tensor> parts;
    for (std::size_t i = 0; i < embeds_.size(); ++i)
      parts.push_back(embeds_[i]->forward(x_cat.select(1, static_cast<std::int64_t>(i))));
    x = emb_drop_->forward(torch::cat(parts, 1));
  }
  if (n_cont_ > 0) {
    const auto conts = bn_cont_ ? bn_cont_->forward(x_cont) : x_cont;
    x = x.defined() ? torch::cat({x, conts}, 1) : conts;
  }
  return layers_->forward(x);
}

}  // namespace kindling
