#pragma once
/// How good a ranking is: the items that a user has not had yet, best first, held against those that were kept back.
///
///   auto [train, test] = hold_out(Interactions::from_df(ratings));
///   std::cout << to_string(compare_rankings({top_n_learner(train).ranker()}, train, test));
///
/// prints the learner beside what needs no learning:
///
///               precision@10  recall@10  NDCG@10  MAP@10
///   EASE              0.3180     0.1819   0.3792  0.2551
///   popularity        0.1566     0.0732   0.1874  0.1071
///   bias only         0.1330     0.0648   0.1542  0.0810
///
/// All items are ranked for each user; figures over a sample of them are not comparable (Krichene and Rendle, 2020).

#include <kindling/collab/interactions.hpp>
#include <kindling/core/listener.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

namespace kindling {

/// Anything that gives items a score: a `TopN`, a model of ratings, a function.
struct Ranker {
  std::string name;
  /// Of users by their numbers: users x items, the higher the better.
  std::function<torch::Tensor(const std::vector<std::int64_t>& users)> scores;
};

/// How many users had each item, the same for every user.
Ranker popularity(const Interactions& train);

/// Ratings as a mean with what a user and an item add to it: means of what is left over, drawn to 0 as if `*_shrink`
/// more ratings had shown nothing (Koren, 2010).
struct Biases {
  double mean = 0;
  torch::Tensor users, items;  ///< float32; a rating is mean + users[u] + items[i]
};

struct BiasOptions {
  double item_shrink = 25;
  double user_shrink = 10;
};

Biases biases(const Interactions& train, const BiasOptions& options = {});
/// Items by their biases: the ranking of a model of ratings that has learnt nothing of single users.
Ranker bias_only(const Interactions& train, const BiasOptions& options = {});

/// The numbers of the n highest scores (a value an item), best first, without the `known` items (ascending); of equal
/// scores the lower number comes first. Throws `usage` for scores that are not numbers.
std::vector<std::int64_t> top_items(const torch::Tensor& scores, std::span<const std::int32_t> known, int n);

/// A value a user, float64. `hits`, users x K, is true where the item at that place was kept back; `relevant`, int64, is
/// how many were kept back of each user, at least 1.
torch::Tensor precision_at_k(const torch::Tensor& hits, int k);
torch::Tensor recall_at_k(const torch::Tensor& hits, const torch::Tensor& relevant, int k);
/// With a gain of 1 and log2 discount, by the best possible: min(k, relevant) hits in front.
torch::Tensor ndcg_at_k(const torch::Tensor& hits, const torch::Tensor& relevant, int k);
/// Precisions at the places of hits, summed, by min(k, relevant); its mean over users is the MAP.
torch::Tensor average_precision_at_k(const torch::Tensor& hits, const torch::Tensor& relevant, int k);

struct RankingOptions {
  std::vector<int> ks = {10};
  /// Items that were kept back with a lower rating are not relevant.
  std::optional<double> min_rating = std::nullopt;
  std::shared_ptr<Listener> listener = silent_listener();
};

struct RankingFigures {
  int k = 0;
  double precision = 0, recall = 0, ndcg = 0, map = 0;  ///< means over users
};

struct RankingResult {
  std::string name;
  std::int64_t n_users = 0;  ///< those with a relevant item
  std::vector<RankingFigures> at;
  /// Throws `usage` for a k that was not asked for.
  const RankingFigures& at_k(int k) const;
};

/// Ranks all items but those of `train`. Throws `usage` where the parts have different users or items, or scores are not
/// users x items numbers; `bad_data` where no user has a relevant item.
RankingResult evaluate_ranking(const Ranker& ranker, const Interactions& train, const Interactions& test,
                               const RankingOptions& options = {});

/// Each ranker, then popularity, then biases alone where `train` has different ratings.
std::vector<RankingResult> compare_rankings(const std::vector<Ranker>& rankers, const Interactions& train,
                                            const Interactions& test, const RankingOptions& options = {});

/// A row a result under a line of names.
std::string to_string(const std::vector<RankingResult>& results);

}  // namespace kindling
