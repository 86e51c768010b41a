#pragma once
/// All ratings of loaders at once.

#include <kindling/tabular/data.hpp>

#include <torch/types.h>

namespace kindling::detail {

struct AllRatings {
  torch::Tensor users, items;  ///< codes, int32
  torch::Tensor values;        ///< float32
};

/// Those of the training loader, then those of the validation loader.
AllRatings all_ratings(const DataLoaders& dls);

/// The processing of a table of two columns of classes with a number as target. Throws `usage` for any other.
const TabularEncoder& ratings_encoder(const Pipeline& pipeline);

}  // namespace kindling::detail
