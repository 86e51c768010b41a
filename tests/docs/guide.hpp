#pragma once
/// What the guides' snippets work on.

#include "train/tiny_learner.hpp"

#include <utility>

namespace kindling::testing {

inline Learner make_learner(LearnerOptions options = quietly()) {
  return Learner(class_loaders(class_pairs(22, 1), class_pairs(7, 2)), tiny_net(), std::move(options));
}

}  // namespace kindling::testing
