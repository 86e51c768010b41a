#pragma once
/// Callbacks that watch a column of the table: save the best model, stop early, lower the rate.

#include <kindling/train/callback.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace kindling {

/// fastai's arguments of every tracker.
struct TrackerOptions {
  std::string monitor = "valid_loss";  ///< column of the table
  /// Whether smaller is better; left out: for columns with "loss" or "error" in their name it is.
  std::optional<bool> less = std::nullopt;
  double min_delta = 0;      ///< a smaller improvement is none
  bool reset_on_fit = true;  ///< false: the best of earlier fits counts
};

/// Knows after each epoch whether it was the best so far (fastai `TrackerCallback`). Throws `usage` before the first
/// epoch for a column that the table does not have.
class TrackerCallback {
 public:
  static constexpr int order = 60;
  static constexpr bool fit_only = true;
  static constexpr bool skip_lr_find = true;
  explicit TrackerCallback(TrackerOptions options = {});

  void before_fit(Learner& learn);
  void after_epoch(Learner& learn);
  void save_state(CallbackState& state) const;
  void load_state(const CallbackState& state);

  double best() const { return best_; }
  bool new_best() const { return new_best_; }
  const TrackerOptions& options() const { return options_; }

 private:
  TrackerOptions options_;
  bool less_ = true;
  bool begun_ = false;
  double best_ = 0;
  bool new_best_ = false;
};

struct SaveModelSettings {
  TrackerOptions tracker = {};
  std::string fname = "model";  ///< in path/model_dir
  int every_epoch = 0;          ///< not 0: each so many epochs as fname_<epoch>, whatever the value; nothing is reloaded
  bool at_end = false;          ///< the last one in place of the best
  bool with_opt = false;
};

/// Saves the model when it is the best so far, and loads the best after the fit (fastai `SaveModelCallback`).
class SaveModelCallback : public TrackerCallback {
 public:
  static constexpr int order = TrackerCallback::order + 1;
  explicit SaveModelCallback(SaveModelSettings settings = {});
  void after_epoch(Learner& learn);
  void after_fit(Learner& learn);
  void save_state(CallbackState& state) const;
  void load_state(const CallbackState& state);
  /// Empty before the first save.
  const std::filesystem::path& last_saved() const { return last_saved_; }

 private:
  SaveModelSettings settings_;
  std::filesystem::path last_saved_;
};

struct EarlyStoppingSettings {
  TrackerOptions tracker = {};
  int patience = 1;  ///< so many epochs in a row without an improvement end the fit
};

/// Ends the fit when it no longer improves (fastai `EarlyStoppingCallback`).
class EarlyStoppingCallback : public TrackerCallback {
 public:
  static constexpr int order = TrackerCallback::order + 3;
  explicit EarlyStoppingCallback(EarlyStoppingSettings settings = {});
  void before_fit(Learner& learn);
  void after_epoch(Learner& learn);
  void save_state(CallbackState& state) const;
  void load_state(const CallbackState& state);

 private:
  int patience_;
  int wait_ = 0;
};

struct ReduceLRSettings {
  TrackerOptions tracker = {};
  int patience = 1;
  double factor = 10;  ///< every group's rate is divided by it
  double min_lr = 0;
};

/// Lowers the learning rate when training no longer improves (fastai `ReduceLROnPlateau`).
class ReduceLROnPlateau : public TrackerCallback {
 public:
  static constexpr int order = TrackerCallback::order + 2;
  explicit ReduceLROnPlateau(ReduceLRSettings settings = {});
  void before_fit(Learner& learn);
  void after_epoch(Learner& learn);
  void save_state(CallbackState& state) const;
  void load_state(const CallbackState& state);

 private:
  ReduceLRSettings settings_;
  int wait_ = 0;
};

/// Ends the fit, quietly, at a loss that is infinite or no number (fastai `TerminateOnNaNCallback`).
struct TerminateOnNaNCallback {
  static constexpr int order = -9;
  static constexpr bool fit_only = true;
  static constexpr bool skip_lr_find = true;
  void after_batch(Learner& learn) const;
};

/// Throws at a training loss that is infinite or no number: `bad_data` naming the items whose inputs or targets are not
/// finite, else `usage` naming the batch's items, with what to try.
struct StopOnNaN {
  static constexpr int order = TerminateOnNaNCallback::order;
  static constexpr bool run_valid = false;
  static constexpr bool fit_only = true;
  static constexpr bool skip_lr_find = true;
  void after_batch(Learner& learn) const;
};

}  // namespace kindling
