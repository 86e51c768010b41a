#pragma once
/// Training K times, each time with another part of the rows for validation: every row is judged by a model that has not seen it,
/// and the K models together are better than one.
///
///   auto folds = train_folds(data, [](DataLoaders dls) { return tabm_learner(dls); },
///                            [](Learner& learn) { fit_tabm(learn, 8); }, {.k = 5});
///   folds.learn.export_to("adult.safetensors");          // the average of the five

#include <kindling/tabular/data.hpp>
#include <kindling/train/learner.hpp>

#include <functional>
#include <memory>
#include <vector>

#include <torch/types.h>

namespace kindling {

struct FoldsOptions {
  int k = 5;
  std::uint64_t seed = 42;
  LoaderOptions loaders = {};
  std::shared_ptr<Listener> listener = nullptr;  ///< of the averaged learner
};

struct Folds {
  Learner learn;        ///< the averaged model, over loaders of all rows
  torch::Tensor preds;  ///< out of fold: activated, a row of the data each
  torch::Tensor targs;
  std::vector<std::vector<double>> values;  ///< validation loss and metrics of each fold
};

/// Places 0 … n-1 in k parts of nearly one size, at random; where `classes` (N int64) are given each part has as much of every class
/// as the whole. Throws `usage` for fewer than two parts or more than places.
std::vector<Splits> fold_splits(std::int64_t n, int k, std::uint64_t seed, const torch::Tensor& classes = {});

/// Trains a learner that `make` makes of each fold's loaders by `fit`. The processing is set up once, on all rows.
Folds train_folds(const TabularData& data, const std::function<Learner(DataLoaders)>& make,
                  const std::function<void(Learner&)>& fit, const FoldsOptions& options = {});

/// The mean of models: of their probabilities where `classes` (as logarithms, so that a softmax gives them), else of their numbers.
Model average_model(std::vector<Model> models, bool classes);

}  // namespace kindling
