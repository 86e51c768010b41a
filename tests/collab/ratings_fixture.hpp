#pragma once
/// Ratings made up for tests, and the errors that they are to give.

#include <kindling/collab.hpp>
#include <kindling/core/error.hpp>

#include "error_in.hpp"

#include <string>
#include <vector>

#include <torch/types.h>

namespace kindling::testing {

/// What a listener was told.
class Told final : public Listener {
 public:
  void message(Level, std::string_view text) override { texts += std::string(text) + "\n"; }
  std::string texts;
};

/// 40 users, 30 films: even users like even films, odd users odd ones, and film f is a little better than film f - 1.
/// Each has rated about two thirds.
inline Table two_tastes() {
  std::vector<std::int64_t> users;
  std::vector<std::string> films;
  std::vector<double> ratings;
  for (std::int64_t u = 0; u < 40; ++u) {
    for (std::int64_t f = 0; f < 30; ++f) {
      if ((u * 31 + f * 17 + u * f) % 3 == 0) continue;
      users.push_back(u);
      films.push_back((f % 2 ? "odd " : "even ") + std::to_string(f));
      ratings.push_back((u % 2 == f % 2 ? 4.0 : 1.5) + 0.5 * static_cast<double>(f / 10));
    }
  }
  return Table({{"user", users}, {"film", films}, {"rating", ratings}});
}

inline DataLoaders two_taste_loaders() {
  return CollabDataLoaders::from_df(two_tastes(), {.seed = 42, .listener = silent_listener()});
}

/// Trained until it knows the tastes.
inline Learner taste_learner(CollabLearnerOptions options = {.n_factors = 5, .y_range = {{0.5, 5.5}}}) {
  torch::manual_seed(1);
  options.listener = silent_listener();
  Learner learn = collab_learner(two_taste_loaders(), options);
  learn.fit_one_cycle(20, 5e-2);
  return learn;
}

}  // namespace kindling::testing
