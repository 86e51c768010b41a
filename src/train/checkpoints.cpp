#include <kindling/core/error.hpp>
#include <kindling/train/checkpoint.hpp>

#include "train/checkpoint_files.hpp"
#include "train/monitor.hpp"
#include "core/file_descriptor.hpp"
#include "core/seconds_since.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <thread>

#include <torch/types.h>
#include <unistd.h>

namespace kindling {

namespace {

using detail::seconds_since;

using Clock = std::chrono::steady_clock;

/// A long validation is not to cost the training before it: that is kept where the last checkpoint is older than this.
constexpr double train_end_minutes = 0.5;

/// Copies tensors into buffers that are used again: fresh memory would cost more than the copy.
void copy_into(Weights::Named& buffers, const Weights::Named& live) {
  torch::NoGradGuard no_grad;
  std::size_t at = 0;
  for (const auto& [name, tensor] : live) {
    if (at == buffers.size()) buffers.emplace_back();
    auto& [key, buffer] = buffers[at++];
    key = name;
    const bool fits = buffer.defined() && buffer.sizes() == tensor.sizes() && buffer.dtype() == tensor.dtype() &&
                      buffer.strides() == tensor.strides();
    if (!fits) {
      buffer = torch::empty_strided(
          tensor.sizes(), tensor.strides(),
          torch::TensorOptions().dtype(tensor.dtype()).pinned_memory(tensor.is_cuda()));
    }
    buffer.copy_(tensor.detach());
  }
  buffers.resize(at);
}

/// Gives a checkpoint its second name. The bytes are shared where the file system can.
void link_best(const fs::path& folder, std::int64_t number) {
  const fs::path from = detail::checkpoint_path(folder, number), to = folder / detail::best_file;
  const fs::path temporary = folder / ".best.tmp";
  std::error_code failed;
  fs::remove(temporary, failed);
  fs::create_hard_link(from, temporary, failed);
  if (failed) {
    failed.clear();
    fs::copy_file(from, temporary, fs::copy_options::overwrite_existing, failed);
  }
  if (!failed) fs::rename(temporary, to, failed);
  if (failed) throw detail::write_error(failed.value(), to);
}

}  // namespace

/// One thread that writes what it is handed, one checkpoint at a time.
struct Checkpoints::Writer {
  fs::path folder;
  int keep;
  Stats stats;

  std::mutex mutex;
  std::condition_variable changed;
  TrainingState snapshot;
  std::int64_t number = 0;
  bool best = false;
  bool busy = false;
  bool stop = false;
  std::exception_ptr error;
  Clock::time_point last = Clock::now();
  std::thread thread;

  Writer(const CheckpointOptions& o) : folder(o.folder), keep(std::max(1, o.keep)), thread([this] { run(); }) {}
  ~Writer() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    changed.notify_all();
    thread.join();
  }

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return busy || stop; });
      if (!busy) return;
      lock.unlock();
      std::exception_ptr failed;
      try {
        write();
      } catch (...) {
        failed = std::current_exception();
      }
      lock.lock();
      if (failed) error = failed;
      busy = false;
      if (!failed) ++stats.written;
      changed.notify_all();
    }
  }

  void write() const {
    save_training_state(detail::checkpoint_path(folder, number), snapshot);
    if (best) link_best(folder, number);
    const auto files = detail::checkpoint_files(folder);
    for (std::size_t i = static_cast<std::size_t>(keep); i < files.size(); ++i) {
      std::error_code ignored;
      fs::remove(files[i].path, ignored);
    }
  }

  bool is_busy() {
    const std::lock_guard lock(mutex);
    return busy;
  }

  void wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !busy; });
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
  }

  void hand_over(std::int64_t wanted, const TrainingState& state, bool is_best, Clock::time_point start) {
    const auto asked = Clock::now();
    wait();
    const double waited = seconds_since(asked);
    snapshot.position = state.position;
    snapshot.values = state.values;
    copy_into(snapshot.tensors, state.tensors);
    const std::lock_guard lock(mutex);
    stats.last_wait_s = waited;
    stats.last_copy_s = seconds_since(start) - waited;
    number = wanted;
    best = is_best;
    busy = true;
    last = Clock::now();
    changed.notify_all();
  }
};

Checkpoints::Checkpoints(CheckpointOptions options) : options_(std::move(options)) {
  std::error_code failed;
  fs::create_directories(options_.folder, failed);
  if (failed) throw system_error(failed.value(), "create the folder", options_.folder);
  const auto files = detail::checkpoint_files(options_.folder);
  if (!files.empty()) next_number_ = files.front().number + 1;
  writer_ = std::make_unique<Writer>(options_);
}

Checkpoints::~Checkpoints() = default;

void Checkpoints::before_fit(Learner&) {
  stopped_ = false;
}

bool Checkpoints::due(double minutes) const {
  return seconds_since(writer_->last) >= minutes * 60 && !writer_->is_busy();
}

void Checkpoints::write(Learner& learn, Learner::At at, bool best) {
  const auto start = Clock::now();
  const TrainingState state = learn.state(at);
  writer_->hand_over(next_number_++, state, best, start);
}

void Checkpoints::after_batch(Learner& learn) {
  // The counts of training metrics are in no checkpoint: such an epoch is gone on with from its beginning.
  if (!learn.training || learn.options().recorder.train_metrics) return;
  if (due(options_.every_minutes)) write(learn, Learner::At::batch_end);
}

void Checkpoints::after_train(Learner& learn) {
  if (learn.options().recorder.train_metrics) return;
  if (due(std::min(options_.every_minutes, train_end_minutes))) write(learn, Learner::At::train_end);
}

void Checkpoints::after_epoch(Learner& learn) {
  const double value = learn.recorder().last(options_.monitor);
  const bool better = !std::isnan(value) &&
                      (best_number_ == 0 || (detail::less_is_better(options_.monitor) ? value < best_ : value > best_));
  if (better) {
    best_ = value;
    best_number_ = next_number_;
  }
  write(learn, Learner::At::epoch_end, better);
}

void Checkpoints::after_cancel_fit(Learner& learn) {
  if (!learn.interrupted) return;
  stopped_ = true;
  // Within a validation the end of the epoch's training may be lost, which is a matter of half a minute.
  // Before an epoch's first batch is done there is nothing to go on from but the checkpoint before.
  if (learn.training && learn.iter >= 0 && !learn.options().recorder.train_metrics) write(learn, Learner::At::batch_end);
}

void Checkpoints::after_fit(Learner& learn) {
  if (!stopped_) write(learn, Learner::At::fit_end);
  wait();
}

void Checkpoints::save_state(CallbackState& state) const {
  state.values = {{"number", next_number_}, {"best", best_}, {"best_number", best_number_}};
}

void Checkpoints::load_state(const CallbackState& state) {
  best_ = state.values.at("best").get<double>();
  best_number_ = state.values.at("best_number").get<std::int64_t>();
  // Newer files than the one that is gone on from are those that were found damaged.
  const auto number = state.values.at("number").get<std::int64_t>();
  for (const auto& file : detail::checkpoint_files(options_.folder)) {
    std::error_code ignored;
    if (file.number > number) fs::remove(file.path, ignored);
  }
  next_number_ = number + 1;
  // A kill may have come between the writing of the best checkpoint and its second name.
  std::error_code ignored;
  if (best_number_ > 0 && fs::exists(detail::checkpoint_path(options_.folder, best_number_), ignored))
    link_best(options_.folder, best_number_);
}

void Checkpoints::wait() {
  writer_->wait();
}

fs::path Checkpoints::best_path() const {
  return options_.folder / detail::best_file;
}

Checkpoints::Stats Checkpoints::stats() const {
  const std::lock_guard lock(writer_->mutex);
  return writer_->stats;
}

}  // namespace kindling
