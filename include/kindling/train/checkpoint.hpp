#pragma once
/// Trainings that survive anything: the whole state of a training in one sealed file, written while training goes on.
///
///   learn.add_cb(std::make_shared<Checkpoints>(CheckpointOptions{.folder = "run/checkpoints"}));
///   if (auto found = last_checkpoint("run/checkpoints")) learn.resume(std::move(found->state));
///   learn.fine_tune(5);       // does what is left of it, and ends where the unbroken training would have ended
///
/// A resumed program makes the same calls as the first one: fits that were done are passed over, the one under way
/// goes on at its next batch. On a CPU with the same number of threads the result is bit-equal. A training can be resumed
/// on another device, with other random numbers, of which the listener is told.

#include <kindling/nn/weights.hpp>
#include <kindling/train/learner.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kindling {

/// How far a training is.
struct TrainingPosition {
  std::int64_t fit = 0;    ///< fits begun before this one
  bool fit_done = false;   ///< the fit has ended; what follows it has not begun
  int epoch = 0;           ///< of the fit: the one under way, or the next one
  bool in_epoch = false;   ///< `batch` of its training batches are done
  std::int64_t batch = 0;
  std::int64_t steps = 0;  ///< training batches over all fits
};

/// Everything that decides how a training goes on: weights, optimizer, schedule, record, random numbers, callbacks.
struct TrainingState {
  TrainingPosition position;
  Json values = Json::object();
  Weights::Named tensors;
};

/// Writes one safetensors file (docs/formats/checkpoint.md), whole or not at all, with a seal over all of it.
void save_training_state(const fs::path& path, const TrainingState& state);
/// Throws `bad_model` for a file that is damaged, cut short, altered, or of a newer format; `not_found` for a missing
/// one.
TrainingState read_training_state(const fs::path& path);

/// The model's weights alone out of a state.
void load_weights(Learner& learn, const TrainingState& state);

/// A checkpoint that can be gone on from.
struct FoundCheckpoint {
  fs::path path;
  TrainingState state;
  std::vector<Error> damaged;  ///< of newer ones that cannot be used
};

/// The checkpoint of a folder that is furthest and whole. Nothing where the folder holds none; throws `bad_model`
/// where it holds some and none is whole.
std::optional<FoundCheckpoint> last_checkpoint(const fs::path& folder);

struct CheckpointOptions {
  fs::path folder;                      ///< made where needed
  double every_minutes = 5;             ///< within an epoch too; 0: at every batch
  std::string monitor = "valid_loss";   ///< column that says which epoch is the best
  int keep = 2;                         ///< so many of the last ones stay, and the best
};

/// Callback that writes checkpoints: after each epoch and fit, every few minutes, and when the fit is stopped by a
/// request. The training thread only copies the state (a second copy of weights and optimizer state is kept in memory
/// for that); a thread of its own writes. A checkpoint that is due while one is written within an epoch is left out,
/// at the end of an epoch it waits. Failures (`no_space`, `io`) are thrown in training at the next checkpoint; older
/// files stay as they are.
class Checkpoints {
 public:
  static constexpr int order = 1000;  ///< what others change in the same event is in the checkpoint
  static constexpr bool fit_only = true;
  static constexpr bool skip_lr_find = true;

  explicit Checkpoints(CheckpointOptions options);
  ~Checkpoints();

  void before_fit(Learner& learn);
  void after_batch(Learner& learn);
  void after_train(Learner& learn);
  void after_epoch(Learner& learn);
  void after_cancel_fit(Learner& learn);
  void after_fit(Learner& learn);
  void save_state(CallbackState& state) const;
  void load_state(const CallbackState& state);

  /// Waits until everything is on the disk. Throws what went wrong there.
  void wait();
  /// Name of the file with the best epoch's state.
  fs::path best_path() const;

  struct Stats {
    int written = 0;
    double last_copy_s = 0;  ///< what the training thread waited for the last copy
    double last_wait_s = 0;  ///< and for the disk before it
  };
  Stats stats() const;

 private:
  struct Writer;
  bool due(double minutes) const;
  void write(Learner& learn, Learner::At at, bool best = false);

  CheckpointOptions options_;
  std::unique_ptr<Writer> writer_;
  std::int64_t next_number_ = 1;
  double best_ = 0;
  std::int64_t best_number_ = 0;  // 0: none yet
  bool stopped_ = false;
};

}  // namespace kindling
