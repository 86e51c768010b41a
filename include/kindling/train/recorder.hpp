#pragma once
/// Everything that a training leaves as numbers: losses, learning rates, metrics, the course's table.

#include <kindling/core/files.hpp>

#include <cstdint>
#include <string>
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
  std::vector<double> metrics;  ///< in the order of the learner's metrics
  double seconds = 0;
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

  /// Rows as fastai's `values`: train_loss, valid_loss, metrics.
  std::vector<std::vector<double>> values() const;
  /// "epoch", "train_loss", "valid_loss", metrics, "time".
  std::vector<std::string> columns() const;
  /// A row as the course prints it.
  std::vector<std::string> cells(const EpochRecord& record) const;
  /// Writes `history` as CSV with full precision.
  void save_csv(const fs::path& path) const;
};

}  // namespace kindling
