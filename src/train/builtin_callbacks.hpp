#pragma once
/// The callbacks that every learner has: the mode of the model, the record, the bar and the table.

#include <kindling/train/callback_training.hpp>
#include <kindling/train/learner.hpp>

#include <chrono>

namespace kindling {

/// Puts the model into training or evaluation mode and counts how far the fit is (fastai
/// `TrainEvalCallback`).
struct TrainEvalCallback {
  static constexpr int order = -10;
  static constexpr bool run_valid = false;
  void before_fit(Learner& learn);
  void before_train(Learner& learn);
  void after_batch(Learner& learn);
  void before_validate(Learner& learn);
};

/// Fills the learner's `Recorder` (fastai `Recorder`).
struct RecorderCallback {
  static constexpr int order = 50;
  static constexpr bool fit_only = true;
  RecorderCallback() = default;
  explicit RecorderCallback(const RecorderOptions& options) : smooth_(options.beta) {}
  void before_fit(Learner& learn);
  void before_epoch(Learner& learn);
  void before_train(Learner& learn);
  void before_validate(Learner& learn);
  void after_batch(Learner& learn);
  void after_epoch(Learner& learn);
  void save_state(CallbackState& state) const;
  void load_state(const CallbackState& state);
  /// Validation loss and metrics of the validation that ran last.
  std::vector<double> validation() const;

 private:
  std::vector<double> values(const std::vector<Metric>& metrics, std::size_t n) const;
  SmoothLoss smooth_;
  Metric valid_loss_{"valid_loss", [](const torch::Tensor& loss, const torch::Tensor&) { return loss; }};
  std::vector<Metric> metrics_, train_metrics_;
  std::chrono::steady_clock::time_point epoch_start_;
  bool validated_ = false;
};

/// Tells the learner's listener of every batch and epoch.
struct ProgressCallback {
  static constexpr int order = 60;
  static constexpr bool fit_only = true;
  void before_fit(Learner& learn);
  void before_train(Learner& learn);
  void before_validate(Learner& learn);
  void after_batch(Learner& learn);
  void after_train(Learner& learn);
  void after_validate(Learner& learn);
  void after_epoch(Learner& learn);

 private:
  void begin(Learner& learn);
  void show(Learner& learn, bool finished);
  std::chrono::steady_clock::time_point start_;
};

/// Ends the fit once Ctrl-C was pressed.
struct InterruptCallback {
  static constexpr int order = 100;
  static constexpr bool fit_only = true;
  void after_batch(Learner& learn);
};

}  // namespace kindling
