#pragma once
/// Callbacks that collect what passes by.

#include <kindling/train/learner.hpp>

#include <memory>
#include <vector>

namespace kindling {

struct GatherOptions {
  bool with_input = false;
  bool with_loss = false;
  bool with_preds = true;
  bool with_targs = true;
  int concat_dim = 0;
  fs::path save_preds = {};
  fs::path save_targs = {};
};

/// Collects raw predictions and targets of a validation (fastai `GatherPredsCallback`): what `get_preds` is made of.
class GatherPredsCallback {
 public:
  static constexpr bool run_train = false;
  explicit GatherPredsCallback(GatherOptions options = {}) : options_(std::move(options)) {}
  void before_validate(Learner& learn);
  void after_batch(Learner& learn);
  /// Everything so far; predictions as the model gave them, on the CPU.
  Preds all() const;

 private:
  GatherOptions options_;
  std::vector<torch::Tensor> preds_, losses_;
  std::vector<std::vector<torch::Tensor>> inputs_, targs_;
  std::vector<std::int64_t> items_;
};

/// Predictions of a loader after each validation, in `preds` (fastai `FetchPredsCallback`).
struct FetchPredsCallback {
  static constexpr bool fit_only = true;
  PredsOptions options = {};
  Preds preds = {};
  void after_validate(Learner& learn);
};

/// Keeps inputs, targets, predictions and losses of every batch of the fit (fastai `CollectDataCallback`).
struct CollectDataCallback {
  static constexpr bool fit_only = true;
  struct Seen {
    std::vector<torch::Tensor> xb, yb;
    torch::Tensor pred, loss;
  };
  std::vector<Seen> data = {};
  void before_fit(Learner&) { data.clear(); }
  void after_batch(Learner& learn);
};

}  // namespace kindling
