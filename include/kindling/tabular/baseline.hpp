#pragma once
/// What can be had without a net: the figures that a model must beat.

#include <kindling/data/dataloaders.hpp>

#include <string>
#include <utility>
#include <vector>

namespace kindling {

/// A plain way to predict, with its figures on the validation rows: "accuracy" and "log loss" of classes, "rmse" and "r2" of
/// numbers (of the first target).
struct Baseline {
  std::string name;
  std::vector<std::pair<std::string, double>> figures;
};

struct BaselineOptions {
  /// Training rows that the linear model sees at most, the first of the split.
  std::int64_t max_rows = 200000;
  /// Columns of classes with more codes than this are left out of the linear model.
  std::int64_t max_codes = 256;
};

/// The most frequent class and a logistic regression, or the mean and a ridge regression, of processed tables (L2 penalty 1, as
/// scikit-learn's defaults; classes one-hot), and 100 trees of LightGBM's defaults where its library is installed (`lib_lightgbm.so`,
/// or the file that KINDLING_LIGHTGBM names). Empty without validation rows or a target.
std::vector<Baseline> baselines(const DataLoaders& dls, const BaselineOptions& options = {});

/// "most frequent class: accuracy 0.763, log loss 0.548", a line each.
std::string to_string(const std::vector<Baseline>& baselines);

}  // namespace kindling
