#pragma once
/// fastai's two models of ratings, with its names of parameters.

#include <kindling/tabular/model.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <torch/types.h>

namespace kindling {

/// The items that each user has rated, by codes: what recommendations leave out. Part of a model, so that it travels
/// with its weights; 4 bytes a rating and 8 a user.
class RatedItems : public torch::nn::Module {
 public:
  /// With room for so many ratings, to be loaded.
  RatedItems(std::int64_t n_users, std::int64_t n_ratings);
  /// Of all pairs of codes (int64 or int32, as many users as items). A pair that occurs again is kept once.
  RatedItems(std::int64_t n_users, const torch::Tensor& users, const torch::Tensor& items);

  std::int64_t size() const { return items.numel(); }
  /// A user's items in ascending order, int32.
  torch::Tensor of(std::int64_t user) const;
  /// Throws `bad_model` unless these are lists of codes below `n_items`, as after loading from a damaged file they may
  /// not be.
  void check(std::int64_t n_items) const;

  torch::Tensor offsets;  ///< n_users + 1, int64: where in `items` a user's begin
  torch::Tensor items;    ///< int32
};

/// Factors of users and items, and a bias of each: the rating is their dot product plus both biases, with `y_range` as
/// a sigmoid to that range (fastai `EmbeddingDotBias`; Koren et al. 2009 without the global mean).
class EmbeddingDotBias : public torch::nn::Module {
 public:
  /// Throws `usage` for sizes that make no model.
  EmbeddingDotBias(std::int64_t n_factors, std::int64_t n_users, std::int64_t n_items,
                   std::optional<std::pair<double, double>> y_range = std::nullopt);
  /// N x 2 codes, int64, to N ratings. Throws `bad_data` for a code that has no factors.
  torch::Tensor forward(const torch::Tensor& x);

  const std::optional<std::pair<double, double>>& y_range() const { return y_range_; }
  torch::nn::Embedding u_weight{nullptr}, i_weight{nullptr}, u_bias{nullptr}, i_bias{nullptr};

 private:
  std::optional<std::pair<double, double>> y_range_;
};

/// A net over the embeddings of user and item (fastai `EmbeddingNN`). Inputs as of `TabularModel`, outputs N x 1.
class EmbeddingNN : public TabularModel {
 public:
  EmbeddingNN(const std::vector<EmbSize>& emb_szs, const std::vector<int>& layers, const TabularConfig& config = {})
      : TabularModel(emb_szs, 0, 1, layers, config) {}
};

}  // namespace kindling
