#include "train/builtin_callbacks.hpp"
#include "core/seconds_since.hpp"

#include <kindling/core/interrupt.hpp>

#include <limits>

#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

using detail::seconds_since;

}  // namespace

void TrainEvalCallback::before_fit(Learner& learn) {
  learn.epoch = 0;
  learn.train_iter = 0;
  learn.pct_train = 0;
  learn.model.module().to(learn.dls.device());
}

void TrainEvalCallback::before_train(Learner& learn) {
  learn.pct_train = static_cast<double>(learn.epoch) / learn.n_epoch;
  learn.model.module().train();
  learn.training = true;
}

void TrainEvalCallback::after_batch(Learner& learn) {
  learn.pct_train += 1.0 / (static_cast<double>(learn.n_iter) * learn.n_epoch);
  ++learn.train_iter;
}

void TrainEvalCallback::before_validate(Learner& learn) {
  learn.model.module().eval();
  learn.training = false;
}

void RecorderCallback::before_fit(Learner& learn) {
  Recorder fresh;
  fresh.options = learn.recorder_->options;
  for (const Metric& m : learn.metrics()) fresh.metric_names.push_back(m.name());
  fresh.history = std::move(learn.recorder_->history);
  *learn.recorder_ = std::move(fresh);
  smooth_.reset();
}

void RecorderCallback::before_epoch(Learner& learn) {
  epoch_start_ = std::chrono::steady_clock::now();
  validated_ = false;
}

void RecorderCallback::before_train(Learner& learn) {
  train_metrics_.clear();
  if (!learn.recorder_->options.train_metrics) return;
  for (const Metric& m : learn.metrics()) train_metrics_.push_back(m.fresh());
}

void RecorderCallback::before_validate(Learner& learn) {
  valid_loss_.reset();
  metrics_.clear();
  for (const Metric& m : learn.metrics()) metrics_.push_back(m.fresh());
  validated_ = true;
}

void RecorderCallback::after_batch(Learner& learn) {
  // Without targets, or cancelled before its loss.
  if (!learn.loss.defined()) return;
  if (!learn.training) {
    valid_loss_.accumulate(learn.loss, learn.yb.front());
    for (const Metric& m : metrics_) m.accumulate(learn.pred, learn.yb);
    return;
  }
  for (const Metric& m : train_metrics_) m.accumulate(learn.pred.detach(), learn.yb);
  Recorder& record = *learn.recorder_;
  smooth_.add(learn.loss.item<double>());
  record.losses.push_back(smooth_.value());
  const Hypers& hypers = learn.opt->hypers(learn.opt->n_groups() - 1);
  record.lrs.push_back(hypers.at("lr"));
  if (learn.opt->has_hyper("mom")) record.moms.push_back(hypers.at("mom"));
}

std::vector<double> RecorderCallback::values(const std::vector<Metric>& metrics, std::size_t n) const {
  std::vector<double> all;
  for (std::size_t m = 0; m < n; ++m)
    all.push_back(m < metrics.size() ? metrics[m].value() : std::numeric_limits<double>::quiet_NaN());
  return all;
}

void RecorderCallback::after_epoch(Learner& learn) {
  Recorder& record = *learn.recorder_;
  record.iters.push_back(static_cast<std::int64_t>(record.losses.size()));
  EpochRecord row{
      .epoch = learn.epoch, .train_loss = smooth_.value(), .seconds = seconds_since(epoch_start_)};
  row.valid_loss = validated_ ? valid_loss_.value() : std::numeric_limits<double>::quiet_NaN();
  const std::size_t n = record.metric_names.size();
  row.metrics = values(validated_ ? metrics_ : std::vector<Metric>(), n);
  if (record.options.train_metrics) row.train_metrics = values(train_metrics_, n);
  record.epochs.push_back(row);
  row.epoch = static_cast<std::int64_t>(record.history.size());
  record.history.push_back(std::move(row));
}

void RecorderCallback::save_state(CallbackState& state) const {
  const auto [average, count] = smooth_.state();
  // The average may be no number; a tensor keeps it as it is.
  state.tensors.emplace_back("smooth_loss", torch::tensor({average}, torch::kFloat64));
  state.values = {{"count", count}, {"epoch_seconds", seconds_since(epoch_start_)}};
}

void RecorderCallback::load_state(const CallbackState& state) {
  smooth_.set_state(state.tensor("smooth_loss").item<double>(), state.values.at("count").get<std::int64_t>());
  const std::chrono::duration<double> spent(state.values.at("epoch_seconds").get<double>());
  epoch_start_ = std::chrono::steady_clock::now() - std::chrono::duration_cast<std::chrono::nanoseconds>(spent);
}

std::vector<double> RecorderCallback::validation() const {
  std::vector<double> values = {valid_loss_.value()};
  for (const Metric& m : metrics_) values.push_back(m.value());
  return values;
}

void ProgressCallback::before_fit(Learner& learn) {
  learn.listener().table_header(learn.recorder().columns());
}
void ProgressCallback::before_train(Learner& learn) {
  begin(learn);
}
void ProgressCallback::before_validate(Learner& learn) {
  begin(learn);
}
void ProgressCallback::after_batch(Learner& learn) {
  show(learn, false);
}
void ProgressCallback::after_train(Learner& learn) {
  show(learn, true);
}
void ProgressCallback::after_validate(Learner& learn) {
  show(learn, true);
}

void ProgressCallback::begin(Learner&) {
  start_ = std::chrono::steady_clock::now();
}

void ProgressCallback::show(Learner& learn, bool finished) {
  const auto& losses = learn.recorder().losses;
  learn.listener().progress(
      {.what = learn.training ? fmt::format("Epoch {}/{}", learn.epoch + 1, learn.n_epoch) : "Validate",
       .done = finished ? learn.n_iter : learn.iter + 1,
       .total = learn.n_iter,
       .note = learn.training && !losses.empty() ? fmt::format("{:.4f}", losses.back()) : "",
       .elapsed_s = seconds_since(start_),
       .finished = finished});
}

void ProgressCallback::after_epoch(Learner& learn) {
  const Recorder& record = learn.recorder();
  const EpochRecord& row = record.epochs.back();
  learn.listener().table_row(record.cells(row));
  Json event = {{"event", "epoch"},
                {"epoch", row.epoch},
                {"train_loss", row.train_loss},
                {"valid_loss", row.valid_loss},
                {"time", row.seconds}};
  for (std::size_t m = 0; m < row.metrics.size(); ++m) event[record.metric_names[m]] = row.metrics[m];
  for (std::size_t m = 0; m < row.train_metrics.size(); ++m)
    event["train_" + record.metric_names[m]] = row.train_metrics[m];
  learn.listener().event(event);
}

void InterruptCallback::after_batch(Learner& learn) {
  if (!interrupt_requested()) return;
  learn.interrupted = true;
  throw CancelFit{};
}

}  // namespace kindling
