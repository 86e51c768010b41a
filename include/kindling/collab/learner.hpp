#pragma once
/// A learner for ratings.
///
///   auto learn = collab_learner(dls, {.n_factors = 50, .y_range = {{0.5, 5.5}}});
///   learn.fit_one_cycle(5, 5e-3, {.wd = 0.1});
///   std::puts(results_table(learn).c_str());

#include <kindling/collab/data.hpp>
#include <kindling/collab/model.hpp>
#include <kindling/tabular/learner.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kindling {

/// fastai's arguments of `collab_learner` and of `Learner`.
struct CollabLearnerOptions {
  int n_factors = 50;
  bool use_nn = false;                      ///< `EmbeddingNN` in place of `EmbeddingDotBias`
  std::map<std::string, int> emb_szs = {};  ///< of the net: widths of embeddings in place of the rule's, by column
  std::optional<std::vector<int>> layers = std::nullopt;  ///< of the net; left out: one of `n_factors`
  TabularConfig config = {};                              ///< of the net
  /// What ratings can be, a little wider than what they are: the ends of a sigmoid are never reached.
  std::optional<std::pair<double, double>> y_range = std::nullopt;
  /// Keep with the model which items each user has rated, for `Recommender::recommend`: 4 bytes a rating in memory and
  /// exports.
  bool keep_rated = true;
  std::vector<Metric> metrics = {};
  LossFunction loss_func = {};
  OptFunc opt_func = Adam();
  double lr = 1e-3;
  std::optional<double> wd = std::nullopt;
  bool wd_bn_bias = false;
  bool train_bn = true;
  std::array<double, 3> moms{0.95, 0.85, 0.95};
  Callbacks cbs = {};
  fs::path path = ".";
  std::shared_ptr<Listener> listener = nullptr;
};

/// Throws `usage` for loaders of other data, `bad_data` where a rating is outside of `y_range`.
Learner collab_learner(DataLoaders dls, CollabLearnerOptions options = {});

/// The models alone, as exports name them. `rated` may be null.
Model create_dot_bias(std::int64_t n_factors, std::int64_t n_users, std::int64_t n_items,
                      std::optional<std::pair<double, double>> y_range = std::nullopt,
                      std::shared_ptr<RatedItems> rated = nullptr);
Model create_embedding_nn(const std::vector<EmbSize>& emb_szs, const std::vector<int>& layers,
                          const TabularConfig& config = {}, std::shared_ptr<RatedItems> rated = nullptr);

namespace detail {
/// Makes models of ratings known to `load_learner`. Done by including <kindling/collab.hpp>.
bool register_collab();
}  // namespace detail

}  // namespace kindling
