#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/train/export.hpp>
#include <kindling/train/learner.hpp>

#include "train/builtin_callbacks.hpp"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/instancenorm.h>
#include <torch/nn/modules/normalization.h>
#include <torch/utils.h>

namespace kindling {

namespace {

bool is_norm(const torch::nn::Module& m) {
  return dynamic_cast<const torch::nn::BatchNorm1dImpl*>(&m) ||
         dynamic_cast<const torch::nn::BatchNorm2dImpl*>(&m) ||
         dynamic_cast<const torch::nn::BatchNorm3dImpl*>(&m) ||
         dynamic_cast<const torch::nn::LayerNormImpl*>(&m) ||
         dynamic_cast<const torch::nn::InstanceNorm1dImpl*>(&m) ||
         dynamic_cast<const torch::nn::InstanceNorm2dImpl*>(&m) ||
         dynamic_cast<const torch::nn::InstanceNorm3dImpl*>(&m);
}

/// Parameters of a group of modules with fastai's rules: norm layers and anything called "bias" do not decay,
/// norm layers stay trainable in frozen groups.
std::vector<Param> params_of(const Model::Modules& modules, const LearnerOptions& options) {
  std::vector<Param> params;
  std::unordered_set<const void*> seen;
  for (const auto& top : modules) {
    for (const auto& module : top->modules()) {
      const bool norm = is_norm(*module);
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
    case TargetKind::number:
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
  cbs_ = {TrainEvalCallback{}, RecorderCallback{}, ProgressCallback{}, InterruptCallback{}};
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
    struct SkipToEpoch {
      int order = 70;
      int first;
      void before_epoch(Learner& learn) const {
        if (learn.epoch < first) throw CancelEpoch{};
      }
    };
    extra.push_back(SkipToEpoch{.first = options.start_epoch});
  }
  run_fit(epochs, extra);
}

void Learner::fit_one_cycle(int epochs, std::optional<Hyper> lr_max, const OneCycleOptions& options) {
  if (!opt || options.reset_opt) create_opt();
  const auto maxima = lr_max.value_or(options_.lr).over(opt->n_groups());
  const auto moms = options.moms.value_or(options_.moms);
  ParamScheduler scheduler;
  for (double max : maxima) {
    scheduler.scheds["lr"].push_back(
        combined_cos(options.pct_start, max / options.div, max, max / options.div_final));
  }
  if (opt->has_hyper("mom"))
    scheduler.scheds["mom"] = {combined_cos(options.pct_start, moms[0], moms[1], moms[2])};
  Callbacks cbs = options.cbs;
  cbs.push_back(std::move(scheduler));
  fit(epochs, Hyper(maxima), {.wd = options.wd, .cbs = std::move(cbs), .start_epoch = options.start_epoch});
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

void Learner::run_fit(int epochs, const Callbacks& extra) {
  if (dls.train().size() == 0) {
    throw Error(ErrorCode::bad_data, "there are fewer training items than a batch",
                {{"training items", dls.train().n()}, {"bs", dls.train().options().bs}},
                "choose a bs of at most " + std::to_string(dls.train().n()) + ", or use more items");
  }
  interrupted = false;
  n_epoch = epochs;
  opt->zero_grad();
  Callbacks all = cbs_;
  all.insert(all.end(), extra.begin(), extra.end());
  with_callbacks(std::move(all), [&] {
    run_phase<CancelFit>(*this, Event::before_fit, Event::after_cancel_fit, Event::after_fit, [&] {
      for (epoch = 0; epoch < n_epoch; ++epoch) one_epoch();
    });
  });
}

void Learner::one_epoch() {
  run_phase<CancelEpoch>(*this, Event::before_epoch, Event::after_cancel_epoch, Event::after_epoch, [&] {
    epoch_train();
    epoch_validate(dls.valid());
  });
}

void Learner::epoch_train() {
  run_phase<CancelTrain>(*this, Event::before_train, Event::after_cancel_train, Event::after_train,
                         [&] { all_batches(dls.train(), epochs_begun_++); });
}

void Learner::epoch_validate(const DataLoader& dl) {
  torch::NoGradGuard no_grad;
  run_phase<CancelValid>(*this, Event::before_validate, Event::after_cancel_validate, Event::after_validate,
                         [&] { all_batches(dl, 0); });
}

void Learner::all_batches(const DataLoader& dl, std::int64_t number) {
  n_iter = dl.size();
  auto batches = dl.epoch(number);
  Batch batch;
  for (iter = 0; batches.next(batch); ++iter) one_batch(std::move(batch));
}

void Learner::one_batch(Batch batch) {
  xb = std::move(batch.x);
  yb = std::move(batch.y);
  items = std::move(batch.items);
  // A batch that is cancelled early leaves none of the last one's results behind.
  pred = loss_grad = loss = torch::Tensor();
  run_phase<CancelBatch>(*this, Event::before_batch, Event::after_cancel_batch, Event::after_batch, [&] {
    pred = model.forward(xb);
    (*this)(Event::after_pred);
    if (!yb.empty()) {
      loss_grad = loss_func(pred, yb.front());
      loss = loss_grad.detach().clone();
    }
    (*this)(Event::after_loss);
    if (!training || yb.empty()) return;
    run_phase<CancelBackward>(*this, Event::before_backward, Event::after_cancel_backward,
                              Event::after_backward, [&] { loss_grad.backward(); });
    run_phase<CancelStep>(*this, Event::before_step, Event::after_cancel_step, Event::after_step,
                          [&] { opt->step(); });
    opt->zero_grad();
  });
}

std::vector<double> Learner::validate(int ds_idx) {
  return validate(dls[ds_idx]);
}

std::vector<double> Learner::validate(const DataLoader& dl) {
  model.module().to(dls.device());
  auto record = std::make_shared<RecorderCallback>();
  with_callbacks({TrainEvalCallback{}, Callback(record)}, [&] { epoch_validate(dl); });
  return record->validation();
}

Preds Learner::get_preds(const PredsOptions& options) {
  DataLoaderOptions plain = options.dl ? options.dl->options() : dls[options.ds_idx].options();
  plain.shuffle = plain.drop_last = false;
  const DataLoader dl = (options.dl ? *options.dl : dls[options.ds_idx]).with(plain);
  torch::NoGradGuard no_grad;
  model.module().to(dls.device());
  model.module().eval();
  std::vector<torch::Tensor> preds, targs, losses;
  for (const Batch& batch : dl) {
    auto out = model.forward(batch.x);
    if (!batch.y.empty()) {
      targs.push_back(batch.y.front().cpu());
      if (options.with_loss) losses.push_back(loss_func.per_item(out, batch.y.front()).cpu());
    }
    preds.push_back(loss_func.activation(out).cpu());
  }
  if (preds.empty()) throw Error(ErrorCode::bad_data, "there are no items to predict");
  Preds result{.preds = torch::cat(preds)};
  if (!targs.empty()) result.targs = torch::cat(targs);
  if (!losses.empty()) result.losses = torch::cat(losses);
  if (options.with_decoded) result.decoded = loss_func.decodes(result.preds);
  return result;
}

Prediction Learner::predict_value(Value item) {
  DataLoader one = dls.test_dl(Items{std::move(item)});
  DataLoaderOptions here = one.options();
  here.num_workers = 0;
  auto preds = get_preds({.dl = one.with(here)});
  return to_prediction(dls.pipeline(), loss_func, preds.preds[0]);
}

}  // namespace kindling
