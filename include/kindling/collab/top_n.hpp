#pragma once
/// The items that a user will like next. Models of ratings say how many stars, which ranks badly; these are made to
/// rank.
///
///   TopN top = top_n_learner(Interactions::from_df(read_table("ratings.csv")));
///   for (auto& [item, score] : top.recommend("42", 5)) std::cout << item << "\n";
///   top.recommend_from({"Toy Story (1995)", "Heat (1995)"});                   // someone new, at once
///   top.similar("Toy Story (1995)");
///   top.save("films.safetensors");

#include <kindling/collab/interactions.hpp>
#include <kindling/collab/ranking.hpp>
#include <kindling/collab/scored_item.hpp>
#include <kindling/core/files.hpp>
#include <kindling/core/json.hpp>
#include <kindling/core/listener.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

namespace kindling {

struct TopNOptions {
  /// "ease": a linear model of each item out of all others, by one inverse (Steck, 2019, arXiv 1905.03375). The best
  /// where items or users are some thousands.
  /// "ials": factors of users and items by alternating least squares (Hu, Koren and Volinsky, 2008) with regularisation
  /// by frequency (Rendle et al., 2021, arXiv 2110.14037). For any number.
  std::string method = "ease";
  /// Regularisation, above 0. Left out: for EASE 200 times the mean square of the values, for iALS 0.003.
  std::optional<double> l2 = std::nullopt;

  /// EASE inverts a matrix of items x items or users x users, whichever is smaller; above this size it is refused. Memory
  /// while it learns is 24 bytes times the square of the size, 9.6 GB at this one.
  std::int64_t max_inverse = 20000;

  /// The others are of iALS.
  int factors = 128;
  int iterations = 10;
  /// Weight of the pairs that are not there, as of a rating of that value. Left out: the mean of the values.
  std::optional<double> alpha = std::nullopt;
  /// Power of a user's or item's weight in its regularisation: 1 as many times, 0 each the same.
  double frequency = 1;
  std::uint64_t seed = 42;
  /// Items x factors to start from; left out: normal numbers of deviation 0.1 / sqrt(factors).
  torch::Tensor init = {};
  std::shared_ptr<Listener> listener = silent_listener();
};

namespace detail {
class TopNModel;
}

/// A ranking that was learnt. Copies share it; all of it may be called from several threads at once.
class TopN {
 public:
  TopN(Interactions known, std::shared_ptr<const detail::TopNModel> model);

  /// The best items for a user of the training data, without those already had. Throws `not_found` for an unknown user
  /// with the nearest name, `usage` for one without a training row.
  std::vector<ScoredItem> recommend(const std::string& user, int n = 10) const;
  /// The same for someone who had these items and no others; nothing is learnt anew. Throws `not_found` for an unknown
  /// item.
  std::vector<ScoredItem> recommend_from(const std::vector<std::string>& items, int n = 10) const;
  /// The items nearest to one: by partial correlation for EASE, by the cosine of the factors for iALS.
  std::vector<ScoredItem> similar(const std::string& item, int n = 10) const;

  /// For `evaluate_ranking` against what was kept back.
  Ranker ranker() const;
  /// What it was learnt from.
  const Interactions& known() const { return known_; }
  /// {"kind": "top_n", "method": …} with the settings that count.
  Json spec() const;

  /// One sealed file with the training interactions in it (docs/formats/model.md).
  void save(const fs::path& path) const;
  /// Throws `bad_model` for a file that is damaged, altered, of a newer format or of another kind; `not_found` for a
  /// missing one.
  static TopN load(const fs::path& path);

 private:
  std::vector<ScoredItem> best(const torch::Tensor& scores, std::span<const std::int32_t> known, int n) const;
  Interactions known_;
  std::shared_ptr<const detail::TopNModel> model_;
};

/// Learns a ranking. Throws `usage` for an unknown method or a setting out of range, `limit` where EASE would need too
/// much memory, `bad_data` for negative values with iALS.
TopN top_n_learner(const Interactions& train, const TopNOptions& options = {});

}  // namespace kindling
