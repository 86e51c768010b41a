#pragma once
/// Callbacks that change how a model is trained.

#include <kindling/train/callback.hpp>
#include <kindling/train/schedules.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <torch/nn/module.h>

namespace kindling {

/// Moves hyper-parameters by schedules over the fit, one schedule a group or one for all, from `pct_train` (fastai
/// `ParamScheduler`).
struct ParamScheduler {
  static constexpr int order = 60;
  static constexpr bool run_valid = false;
  static constexpr bool fit_only = true;
  std::map<std::string, std::vector<Schedule>> scheds;
  void before_batch(Learner& learn) const;
};

/// Passes over the epochs before `epoch` (fastai `SkipToEpoch`).
struct SkipToEpoch {
  static constexpr int order = 70;
  static constexpr bool fit_only = true;
  int epoch = 0;
  void before_epoch(Learner& learn) const;
};

/// Ends training (and validation) after a part of the batches: to try things quickly (fastai `ShortEpochCallback`).
struct ShortEpochCallback {
  static constexpr bool fit_only = true;
  double pct = 0.01;
  bool short_valid = true;
  void after_batch(Learner& learn) const;
};

/// Steps once gradients of `n_acc` items are summed, as a batch of that size would (fastai `GradientAccumulation`). Batch
/// norm still sees the small batches.
struct GradientAccumulation {
  static constexpr int order = 6;
  static constexpr bool run_valid = false;
  static constexpr bool fit_only = true;
  std::int64_t n_acc = 32;  ///< items
  void before_fit(Learner&) { count = 0; }
  void after_loss(Learner& learn) const;
  void before_step(Learner& learn);
  void save_state(CallbackState& state) const { state.values = {{"count", count}}; }
  void load_state(const CallbackState& state) { count = state.values.at("count").get<std::int64_t>(); }

  std::int64_t count = 0;
};

/// Scales gradients down whose norm over all parameters is larger than `max_norm`, after unscaling (fastai
/// `GradientClip`).
struct GradientClip {
  static constexpr int order = 11;
  static constexpr bool run_valid = false;
  static constexpr bool fit_only = true;
  double max_norm = 1;
  double norm_type = 2;
  void before_step(Learner& learn) const;
};

/// Norm layers whose weights do not train keep their statistics as they are (fastai `BnFreeze`).
struct BnFreeze {
  static constexpr bool fit_only = true;
  void before_train(Learner& learn) const;
};

/// Weights of 4-d parameters, and 4-d inputs, lie channels-last: faster convolutions (fastai `ChannelsLast`).
struct ChannelsLast {
  static constexpr int order = -1;
  void before_fit(Learner& learn) const;
  void before_batch(Learner& learn) const;
};

/// Dropout stays on in validation, so that repeated predictions show the model's doubt (fastai `MCDropoutCallback`; Gal,
/// Ghahramani 2016).
struct MCDropoutCallback {
  void before_validate(Learner& learn) const;
  void after_validate(Learner& learn) const;
};

struct ModelAverageOptions {
  double decay = 0.999;   ///< of the average, a step
  bool validate = true;   ///< validation uses the averaged weights
  bool keep_at_end = true;  ///< the model ends the fit with them
};

/// Exponential moving average of the weights: avg = decay avg + (1 - decay) w after each step, beginning at the weights
/// that the fit begins with (torch `get_ema_multi_avg_fn`; Tarvainen, Valpola 2017). Statistics of norm layers are the
/// model's own.
class ModelAverage {
 public:
  static constexpr bool fit_only = true;
  explicit ModelAverage(ModelAverageOptions options = {}) : options_(options) {}
  void before_fit(Learner& learn);
  void after_step(Learner& learn);
  void before_validate(Learner& learn);
  void after_validate(Learner& learn);
  void after_fit(Learner& learn);
  void save_state(CallbackState& state) const;
  void load_state(const CallbackState& state);

  /// In the order of the model's parameters.
  const std::vector<torch::Tensor>& averages() const { return averages_; }

 private:
  void swap(Learner& learn);
  ModelAverageOptions options_;
  std::vector<torch::Tensor> averages_;
  bool swapped_ = false;
};

}  // namespace kindling
