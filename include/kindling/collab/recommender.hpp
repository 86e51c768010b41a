#pragma once
/// What a trained model of ratings knows of users and items, by their names.
///
///   const Recommender films(learn);                        // or films("ratings.safetensors"), an export
///   for (const auto& [item, score] : films.recommend("42", {.n = 10})) …      // none that user 42 has rated
///   films.similar("Silence of the Lambs, The (1991)", {.n = 5, .min_ratings = 20});
///   auto me = films.fold_in({{"Alien (1979)", 5}, {"Notting Hill (1999)", 2}});   // a new user, without training
///   films.recommend(me, {.n = 10});
///   films.map().save("map.html");

#include <kindling/core/figure.hpp>
#include <kindling/collab/model.hpp>
#include <kindling/collab/scored_item.hpp>
#include <kindling/tabular/data.hpp>
#include <kindling/train/learner.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

namespace kindling {

/// A user that the model was not trained with: where he is among the factors.
struct FoldedUser {
  torch::Tensor weight;  ///< n_factors, float32
  double bias = 0;
  std::vector<std::string> rated;  ///< what `recommend` leaves out
};

struct RecommendOptions {
  int n = 10;
  bool with_rated = false;                ///< do not leave out what the user has rated
  std::vector<std::string> without = {};  ///< items to leave out besides
};

struct SimilarOptions {
  int n = 10;
  /// Leave out items with fewer ratings: their factors are hardly more than what they started from.
  int min_ratings = 0;
};

struct FoldInOptions {
  /// λ: how much evidence it takes to move the user away from the mean one, in units of the users' own spread. 0.3 was
  /// best on MovieLens for users with 5 to 50 ratings.
  double penalty = 0.3;
};

struct ItemMapOptions {
  int most_rated = 1000;  ///< the components are those of so many items, the most rated ones (fastai's book)
  int shown = 50;         ///< so many of these are drawn
  std::vector<std::string> items = {};  ///< drawn in place of the most rated ones
  int x = 0, y = 1;       ///< which components, from 0
};

/// A snapshot: training on does not change it. Const and re-entrant.
class Recommender {
 public:
  /// Throws `usage` for a learner of other data.
  explicit Recommender(const Learner& learn);
  /// Of an exported file. Throws as `read_exported`.
  explicit Recommender(const fs::path& model);

  /// Names of users and items by their codes; the first is "#na#", which stands for all that are unknown.
  const std::vector<std::string>& users() const;
  const std::vector<std::string>& items() const;
  /// Throws `not_found`, with near names, for one that no training rating has.
  std::int64_t code(const std::string& name, bool is_item = true) const;

  /// Biases: n (fastai `model.bias`). Throws `not_found`, and `usage` for a net, which has none.
  torch::Tensor bias(const std::vector<std::string>& names, bool is_item = true) const;
  /// Factors, or a net's embeddings: n x factors (fastai `model.weight`).
  torch::Tensor weight(const std::vector<std::string>& names, bool is_item = true) const;

  /// The rating of each item, by codes: n_items, float32.
  torch::Tensor ratings(const std::string& user) const;
  torch::Tensor ratings(const FoldedUser& user) const;
  /// The items with the highest ratings, without those that the user has rated in training or validation. Throws
  /// `not_found` for a user that the model does not know (see `fold_in`), `usage` where the model does not keep what
  /// was rated.
  std::vector<ScoredItem> recommend(const std::string& user, const RecommendOptions& options = {}) const;
  std::vector<ScoredItem> recommend(const FoldedUser& user, const RecommendOptions& options = {}) const;
  /// Items whose factors point the same way, by cosine. Throws `not_found`, and with `min_ratings` as `most_rated`.
  std::vector<ScoredItem> similar(const std::string& item, const SimilarOptions& options = {}) const;

  /// A new user out of a few ratings, by ridge regression with the model's items as they are. With t the ratings (with
  /// `y_range` the logit of where they lie in it, at most 1 % from an end), x = [factors, 1] and b the bias of each
  /// item, m and s² the mean and variance of the trained users' [factors, bias], the user is m + d, where d has the
  /// least
  ///   sum (t - b - x·(m + d))² + λ sum d² / s².
  /// Throws `not_found` for unknown items, `bad_data` for a rating outside of `y_range`, `usage` for a net.
  FoldedUser fold_in(const std::vector<std::pair<std::string, double>>& ratings,
                     const FoldInOptions& options = {}) const;

  /// Items with the highest biases (liked by all, whatever their factors), or the lowest. Throws `usage` for a net.
  std::vector<ScoredItem> best_biases(int n = 5) const;
  std::vector<ScoredItem> worst_biases(int n = 5) const;
  /// Both as a table of text.
  std::string bias_table(int n = 5) const;

  /// The k first principal components of these items' factors, n x k; a component's largest number is positive.
  torch::Tensor components(const std::vector<std::string>& items, int k = 3) const;
  /// Items that most users have rated. Throws `usage` where the model does not keep what was rated.
  std::vector<std::string> most_rated(int n) const;
  /// Items by two components, with their names.
  Figure map(const ItemMapOptions& options = {}) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace kindling
