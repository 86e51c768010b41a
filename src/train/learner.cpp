#include <kindling/core/error.hpp>
#include <kindling/train/checkpoint.hpp>
#include <kindling/train/learner.hpp>

#include "train/builtin_callbacks.hpp"
#include "train/flush_denormals.hpp"
#include "train/norm_layers.hpp"
#include "core/seconds_since.hpp"

#include <algorithm>
#include <chrono>
#include <unordered_set>

#include <fmt/format.h>
#include <torch/utils.h>

namespace kindling {

namespace {

/// Parameters of a group of modules with fastai's rules: norm layers and anything called "bias" do not decay,
/// norm layers stay trainable in frozen groups.
std::vector<Param> params_of(const Model::Modules& modules, const LearnerOptions& options) {
  std::vector<Param> params;
  std::unordered_set<const void*> seen;
  for (const auto& top : modules) {
    for (const auto& module : top->modules()) {
      const bool norm = detail::is_norm(*module);
      for (const auto& p : module->named_parameters(/*recurse=*/false)) {
        if (!seen.insert(p.value().unsafeGetTensorImpl()).second) continue;
        params.push_back({.tensor = p.value(),
                          .do_wd = options.wd_bn_bias || !(norm || p.key() == "bias"),
                          .force_train = options.train_bn && norm});
      }
    }
  }
  return params;
}

LossFunction default_loss(const Pipeline& pipeline) {
  switch (pipeline.target) {
    case TargetKind::category:
      return CrossEntropyLossFlat();
    case TargetKind::categories:
      return BCEWithLogitsLossFlat();
    case TargetKind::number:
    case TargetKind::points:
      return MSELossFlat();
    default:
      break;
  }
  throw Error(ErrorCode::usage, "the loss function cannot be told from the data", {},
              "say .loss_func = …, e.g. CrossEntropyLossFlat()");
}

/// Runs a phase as fastai does: its event, its body; where that is cancelled the event for it; always the
/// event after.
template <class Cancel, class Body>
void run_phase(Learner& learn, Event before, Event cancelled, Event after, Body&& body) {
  try {
    learn(before);
    body();
  } catch (const Cancel&) {
    learn(cancelled);
  }
  learn(after);
}

}  // namespace

Learner::Learner(DataLoaders loaders, Model m, LearnerOptions options)
    : dls(std::move(loaders)),
      model(std::move(m)),
      loss_func(options.loss_func ? options.loss_func : default_loss(dls.pipeline())),
      options_(std::move(options)),
      recorder_(std::make_shared<Recorder>()) {
  if (!options_.listener) options_.listener = terminal_listener();
  recorder_->options = options_.recorder;
  cbs_ = {TrainEvalCallback{}};
  if (options_.default_cbs) {
    const Callbacks defaults = {RecorderCallback(options_.recorder), ProgressCallback{}, InterruptCallback{}};
    cbs_.insert(cbs_.end(), defaults.begin(), defaults.end());
  }
  cbs_.insert(cbs_.end(), options_.cbs.begin(), options_.cbs.end());
  set_order();
  (*this)(Event::after_create);
}

void Learner::set_order() {
  std::stable_sort(cbs_.begin(), cbs_.end(),
                   [](const Callback& a, const Callback& b) { return a.order() < b.order(); });
}

void Learner::add_cb(Callback callback) {
  cbs_.push_back(std::move(callback));
  set_order();
}

void Learner::add_cbs(const Callbacks& callbacks) {
  cbs_.insert(cbs_.end(), callbacks.begin(), callbacks.end());
  set_order();
}

bool Learner::remove_cb(const std::string& name) {
  return std::erase_if(cbs_, [&](const Callback& cb) { return cb.name() == name; }) > 0;
}

void Learner::operator()(Event event) {
  for (const Callback& cb : cbs_) cb(event, *this, training);
}

void Learner::create_opt() {
  ParamGroups groups;
  if (model.groups.empty()) {
    groups.push_back(params_of({model.module().shared_from_this()}, options_));
  } else {
    for (const Model::Modules& modules : model.groups) groups.push_back(params_of(modules, options_));
  }
  opt = options_.opt_func(std::move(groups));
  opt->set_hyper("lr", options_.lr);
}

void Learner::freeze_to(int n) {
  if (!opt) create_opt();
  opt->freeze_to(n);
}

void Learner::fit(int epochs, std::optional<Hyper> lr, const FitOptions& options) {
  if (!opt || options.reset_opt) create_opt();
  if (auto wd = options.wd ? options.wd : options_.wd) opt->set_hyper("wd", *wd);
  opt->set_hyper("lr", lr.value_or(options_.lr));
  Callbacks extra = options.cbs;
  if (options.start_epoch > 0) {
    extra.push_back(SkipToEpoch{.epoch = options.start_epoch});
  }
  run_fit(epochs, extra, [this](std::int64_t first) { all_batches(dls.train(), epochs_begun_++, first); });
}

void Learner::fit_one_cycle(int epochs, std::optional<Hyper> lr_max, const OneCycleOptions& options) {
  if (!opt || options.reset_opt) create_opt();
  const auto maxima = lr_max.value_or(options_.lr).over(opt->n_groups());
  const auto moms = options.moms.value_or(options_.moms);
  ParamScheduler scheduler{one_cycle_scheds(maxima, {.div = options.div,
                                                     .div_final = options.div_final,
                                                     .pct_start = options.pct_start,
                                                     .moms = moms})};
  if (!opt->has_hyper("mom")) scheduler.scheds.erase("mom");
  Callbacks cbs = options.cbs;
  cbs.push_back(std::move(scheduler));
  fit(epochs, Hyper(maxima), {.wd = options.wd, .cbs = std::move(cbs), .start_epoch = options.start_epoch});
}

void Learner::fit_flat_cos(int epochs, std::optional<Hyper> lr, const FlatCosOptions& options) {
  if (!opt || options.reset_opt) create_opt();
  const auto rates = lr.value_or(options_.lr).over(opt->n_groups());
  Callbacks cbs = options.cbs;
  cbs.push_back(ParamScheduler{
      flat_cos_scheds(rates, {.div_final = options.div_final, .pct_start = options.pct_start})});
  fit(epochs, Hyper(rates), {.wd = options.wd, .cbs = std::move(cbs), .start_epoch = options.start_epoch});
}

void Learner::fit_sgdr(int n_cycles, int cycle_len, std::optional<Hyper> lr_max, const SgdrOptions& options) {
  if (!opt || options.reset_opt) create_opt();
  const auto maxima = lr_max.value_or(options_.lr).over(opt->n_groups());
  Callbacks cbs = options.cbs;
  cbs.push_back(ParamScheduler{sgdr_scheds(maxima, n_cycles, options.cycle_mult)});
  fit(sgdr_epochs(n_cycles, cycle_len, options.cycle_mult), Hyper(maxima),
      {.wd = options.wd, .cbs = std::move(cbs), .start_epoch = options.start_epoch});
}

void Learner::fine_tune(int epochs, const FineTuneOptions& options) {
  freeze();
  if (options.freeze_epochs > 0) {
    fit_one_cycle(options.freeze_epochs, slice(options.base_lr),
                  {.pct_start = 0.99, .wd = options.wd, .cbs = options.cbs});
    if (interrupted) return;
  }
  const double lr = options.base_lr / 2;
  unfreeze();
  if (epochs > 0) {
    fit_one_cycle(epochs, slice(lr / options.lr_mult, lr),
                  {.div = options.div, .pct_start = options.pct_start, .wd = options.wd, .cbs = options.cbs});
  }
}

void Learner::with_callbacks(Callbacks cbs, const std::function<void()>& body) {
  // The learner's own callbacks come back however the body ends.
  struct Restore {
    Learner& learn;
    Callbacks own;
    ~Restore() { learn.cbs_ = std::move(own); }
  };
  const Restore restore{*this, std::exchange(cbs_, std::move(cbs))};
  set_order();
  body();
}

void Learner::run_fit(int epochs, const Callbacks& extra, const TrainBody& train) {
  if (dls.train().size() == 0) {
    throw Error(ErrorCode::bad_data, "there are fewer training items than a batch",
                {{"training items", dls.train().n()}, {"bs", dls.train().options().bs}},
                "choose a bs of at most " + std::to_string(dls.train().n()) + ", or use more items");
  }
  const std::int64_t number = fits_begun_++;
  interrupted = false;
  if (resume_ && number < resume_->position.fit) return;  // it was done before the checkpoint
  n_epoch = epochs;
  opt->zero_grad();
  const detail::FlushDenormals flush;
  Callbacks all = cbs_;
  all.insert(all.end(), extra.begin(), extra.end());
  with_callbacks(std::move(all), [&] {
    if (resume_ && resume_->position.fit_done) {
      restore(*resume_);
      resume_.reset();
      return;
    }
    run_phase<CancelFit>(*this, Event::before_fit, Event::after_cancel_fit, Event::after_fit, [&] {
      int first = 0;
      if (resume_) {
        restore(*resume_);
        first = resume_->position.epoch;
        if (!resume_->position.in_epoch) resume_.reset();
      }
      for (epoch = first; epoch < n_epoch; ++epoch) one_epoch(train);
    });
  });
}

void Learner::one_epoch(const TrainBody& train) {
  run_phase<CancelEpoch>(*this, Event::before_epoch, Event::after_cancel_epoch, Event::after_epoch, [&] {
    epoch_train(train);
    epoch_validate(dls.valid());
  });
}

void Learner::epoch_train(const TrainBody& train) {
  run_phase<CancelTrain>(*this, Event::before_train, Event::after_cancel_train, Event::after_train, [&] {
    train(take_resume_batch());
  });
}

void Learner::epoch_validate(const DataLoader& dl, std::int64_t number) {
  torch::NoGradGuard no_grad;
  run_phase<CancelValid>(*this, Event::before_validate, Event::after_cancel_validate, Event::after_validate,
                         [&] { all_batches(dl, number); });
}

void Learner::all_batches(const DataLoader& dl, std::int64_t number, std::int64_t first) {
  n_iter = dl.size();
  auto batches = dl.epoch(number, first);
  Batch batch;
  const auto start = std::chrono::steady_clock::now();
  for (iter = first; batches.next(batch); ++iter) one_batch(std::move(batch));
  if (!training) return;
  loader_times = batches.times();
  train_seconds = detail::seconds_since(start);
}

void Learner::one_batch(Batch batch) {
  xb = std::move(batch.x);
  yb = std::move(batch.y);
  items = std::move(batch.items);
  // A batch that is cancelled early leaves none of the last one's results behind.
  pred = loss_grad = loss = torch::Tensor();
  try {
    (*this)(Event::before_batch);
    forward_and_backward();
    if (training && !yb.empty()) {
      run_phase<CancelStep>(*this, Event::before_step, Event::after_cancel_step, Event::after_step,
                            [&] { opt->step(); });
      opt->zero_grad();
    }
  } catch (const CancelBatch&) {
    (*this)(Event::after_cancel_batch);
  }
  if (training) ++steps_done_;
  (*this)(Event::after_batch);
}

void Learner::in_validation(const Callbacks& more, bool inner, const std::function<void()>& body) {
  // A callback may ask for predictions in the middle of a fit: the loop goes on as if nothing had been.
  struct Restore {
    Learner& l;
    std::vector<std::pair<std::shared_ptr<torch::nn::Module>, bool>> modes;
    decltype(Learner::xb) xb = l.xb, yb = l.yb;
    std::vector<std::int64_t> items = l.items;
    torch::Tensor pred = l.pred, loss_grad = l.loss_grad, loss = l.loss;
    int epoch = l.epoch, n_epoch = l.n_epoch;
    std::int64_t n_iter = l.n_iter, iter = l.iter, train_iter = l.train_iter;
    double pct_train = l.pct_train;
    bool training = l.training;
    ~Restore() {
      for (const auto& [module, mode] : modes) module->train(mode);
      l.xb = xb, l.yb = yb, l.items = items, l.pred = pred, l.loss_grad = loss_grad, l.loss = loss;
      l.epoch = epoch, l.n_epoch = n_epoch, l.n_iter = n_iter, l.iter = iter, l.train_iter = train_iter;
      l.pct_train = pct_train, l.training = training;
    }
  } restore{*this, {}};
  if (inner) {
    for (const auto& m : model.module().modules()) restore.modes.emplace_back(m, m->is_training());
  }
  Callbacks all;
  std::copy_if(cbs_.begin(), cbs_.end(), std::back_inserter(all), [](const Callback& cb) { return !cb.fit_only(); });
  all.insert(all.end(), more.begin(), more.end());
  model.module().to(dls.device());
  with_callbacks(std::move(all), [&] {
    if (!inner) {
      (*this)(Event::before_fit);
      (*this)(Event::before_epoch);
    }
    body();
    if (!inner) {
      (*this)(Event::after_epoch);
      (*this)(Event::after_fit);
    }
  });
}

std::vector<double> Learner::validate(int ds_idx) {
  return validate(dls[ds_idx]);
}

std::vector<double> Learner::validate(const DataLoader& dl) {
  return validate(dl, {});
}

std::vector<double> Learner::validate(const DataLoader& dl, const Callbacks& cbs) {
  // Counts as the recorder does, and leaves the learner's record alone.
  struct Count {
    int order = RecorderCallback::order;
    RecorderCallback record = {};
    void before_validate(Learner& learn) { record.before_validate(learn); }
    void after_batch(Learner& learn) { record.after_batch(learn); }
  };
  auto count = std::make_shared<Count>();
  Callbacks all = cbs;
  all.push_back(Callback(count));
  in_validation(all, false, [&] { epoch_validate(dl); });
  return count->record.validation();
}

}  // namespace kindling
