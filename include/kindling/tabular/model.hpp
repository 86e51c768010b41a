#pragma once
/// fastai's net for tables: embeddings of the classes and the numbers, then linear layers.

#include <kindling/core/json.hpp>

#include <optional>
#include <utility>
#include <vector>

#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/embedding.h>

namespace kindling {

/// Rows and columns of an embedding.
using EmbSize = std::pair<std::int64_t, std::int64_t>;

/// min(600, round(1.6 n^0.56)), for n codes, "#na#" included.
std::int64_t emb_sz_rule(std::int64_t n_cat);

/// fastai's arguments of `TabularModel` that `tabular_config` gives, with its defaults.
struct TabularConfig {
  std::vector<double> ps = {};  ///< dropout after each hidden layer; empty: none; one: for all
  double embed_p = 0;           ///< dropout of the embeddings
  std::optional<std::pair<double, double>> y_range = std::nullopt;  ///< sigmoid to this range at the end
  bool use_bn = true;
  bool bn_final = false;
  bool bn_cont = true;
  bool lin_first = true;
};

/// The same under fastai's name: `.config = tabular_config({.ps = {0.2}})`.
inline TabularConfig tabular_config(TabularConfig config = {}) { return config; }

Json to_json(const TabularConfig& config);
TabularConfig tabular_config_from_json(const Json& json);

/// A table of vectors whose weights start at 0.01 fmod(N(0, 1), 2) (fastai `Embedding`).
torch::nn::Embedding trunc_normal_embedding(std::int64_t n, std::int64_t size, double std = 0.01);

/// Inputs N x cats int64 and N x conts float32; output N x out_sz. Parameters have fastai's names.
class TabularModel : public torch::nn::Module {
 public:
  /// Throws `usage` for sizes that make no net.
  TabularModel(const std::vector<EmbSize>& emb_szs, int n_cont, int out_sz, const std::vector<int>& layers,
               const TabularConfig& config = {});
  torch::Tensor forward(const torch::Tensor& x_cat, const torch::Tensor& x_cont);

 private:
  std::vector<torch::nn::Embedding> embeds_;
  torch::nn::Dropout emb_drop_;
  torch::nn::BatchNorm1d bn_cont_{nullptr};
  torch::nn::Sequential layers_;
  int n_cont_ = 0;
};

}  // namespace kindling
