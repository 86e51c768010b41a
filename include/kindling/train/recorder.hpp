#pragma once
/// Everything that a training leaves as numbers: losses, learning rates, metrics, the course's table.

#include <kindling/core/files.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kindling {

/// Debiased exponential average of the batch losses (fastai `AvgSmoothLoss`): val = beta val + (1 - beta)
/// loss, divided by 1 - beta^count.
class SmoothLoss {
 public:
  explicit SmoothLoss(double beta = 0.98) : beta_(beta) {}
  void add(double loss);
  /// NaN before the first loss.
  double value() const;
  void reset() { average_ = 0, count_ = 0; }
  /// The average before debiasing, and how many losses went into it: what a checkpoint keeps.
  std::pair<double, std::int64_t> state() const { return {average_, count_}; }
  void set_state(double average, std::int64_t count) { average_ = average, count_ = count; }

 private:
  double beta_;
  double average_ = 0;
  std::int64_t count_ = 0;
};

/// One row of the table.
struct EpochRecord {
  std::int64_t epoch = 0;
  double train_loss = 0;        ///< the smooth loss at the end of the epoch
  double valid_loss = 0;        ///< mean over the validation items
  std::vector<double> metrics;  ///< of the validation, in the order of the learner's metrics
  double seconds = 0;
  std::vector<double> train_metrics = {};  ///< with RecorderOptions::train_metrics, in the same order
};

/// What the recorder keeps and shows (fastai's `Recorder` arguments).
struct RecorderOptions {
  bool add_time = true;        ///< a column "time"
  bool train_metrics = false;  ///< metrics over the training batches too, as they were seen
  bool valid_metrics = true;   ///< validation loss and metrics
  double beta = 0.98;          ///< of the smooth loss
};

/// Filled by the learner; `learn.recorder()`.
class Recorder {
 public:
  std::vector<double> lrs;          ///< of the last group, one a training batch
  std::vector<double> moms;         ///< likewise; empty for optimizers without momentum
  std::vector<double> losses;       ///< smooth losses, one a training batch
  std::vector<std::int64_t> iters;  ///< training batches done at the end of each epoch
  std::vector<std::string> metric_names;
  std::vector<EpochRecord> epochs;   ///< of the last fit
  std::vector<EpochRecord> history;  ///< of all fits, numbered on

  RecorderOptions options;

  /// Rows as fastai's `values`: train_loss, (train metrics,) valid_loss, metrics.
  std::vector<std::vector<double>> values() const;
  /// "epoch", "train_loss", "valid_loss", metrics, "time"; with train metrics "epoch", "train_loss", "train_<metric>" …,
  /// "valid_loss", "valid_<metric>" …, "time".
  std::vector<std::string> columns() const;
  /// A value of the last row by its column's name ("valid_loss", "accuracy"). Throws `usage` naming the columns.
  double last(const std::string& column) const;
  /// The last row without epoch and time (fastai `learn.final_record`); empty before the first epoch.
  std::vector<double> final_record() const;
  /// A row as the course prints it.
  std::vector<std::string> cells(const EpochRecord& record) const;
  /// Writes `history` as CSV with full precision.
  void save_csv(const fs::path& path) const;
};

}  // namespace kindling
