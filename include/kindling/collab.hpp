#pragma once
/// Ratings: everything that a program with users, items and what they gave each other needs.
#include <kindling/collab/check.hpp>
#include <kindling/collab/data.hpp>
#include <kindling/collab/interactions.hpp>
#include <kindling/collab/learner.hpp>
#include <kindling/collab/model.hpp>
#include <kindling/collab/ranking.hpp>
#include <kindling/collab/recommender.hpp>
#include <kindling/collab/top_n.hpp>
#include <kindling/tabular.hpp>

namespace kindling::detail {
inline const bool collab_is_known = register_collab();
}
