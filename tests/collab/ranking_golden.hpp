#pragma once
/// What tests/golden/make_ranking.py made.

#include <kindling/collab/interactions.hpp>
#include <kindling/core/error.hpp>

#include "golden.hpp"
#include "error_in.hpp"

namespace kindling::testing {

inline const Json& golden_ranking() {
  static const Json json = golden("collab_ranking/ranking.json");
  return json;
}

inline torch::Tensor matrix_from(const Json& rows) {
  std::vector<torch::Tensor> tensors;
  for (const Json& row : rows) tensors.push_back(torch::tensor(row.get<std::vector<float>>()));
  return torch::stack(tensors);
}

/// The training and test rows of a case, through a table.
inline InteractionSplit golden_split(const Json& json) {
  std::vector<std::int64_t> users, items;
  std::vector<double> ratings;
  Splits splits;
  for (const Json& row : json.at("rows")) {
    const bool is_test = json.at("test")[users.size()].get<bool>();
    (is_test ? splits.valid : splits.train).push_back(static_cast<std::int64_t>(users.size()));
    users.push_back(row[0].get<std::int64_t>());
    items.push_back(row[1].get<std::int64_t>());
    ratings.push_back(row[2].get<double>());
  }
  return Interactions::from_df(Table({{"user", users}, {"item", items}, {"rating", ratings}}), splits);
}

}  // namespace kindling::testing
