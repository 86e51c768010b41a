// The head trained alone on the body's features, which are computed once.

#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/core/random.hpp>
#include <kindling/data/pairs.hpp>
#include <kindling/nn/weights.hpp>
#include <kindling/train/learner.hpp>

#include "core/seconds_since.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <span>
#include <unordered_set>

#include <fmt/format.h>
#include <torch/nn/functional/loss.h>
#include <torch/utils.h>

namespace kindling {

namespace {

using detail::seconds_since;
using torch::Tensor;
using Clock = std::chrono::steady_clock;

/// With fewer items held out their loss says nothing.
constexpr std::size_t least_held_out = 8;
/// A class of fewer items needs all of them for training.
constexpr std::int64_t least_of_class = 4;
/// A few items do not carry the temperature far: deviation of its logarithm's prior, and its bounds.
constexpr double prior_deviation = 0.5, largest_temperature = 4;
constexpr std::int64_t usual_epochs = 6, least_steps = 120;
constexpr std::uint64_t held_out_stream = 0x71756963;

/// Some rows of tensors that stay where they are.
class RowsDataset final : public BatchDataset {
 public:
  RowsDataset(std::shared_ptr<const TensorDataset> all, std::vector<std::int64_t> places)
      : all_(std::move(all)), places_(std::move(places)) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(places_.size()); }
  Values raw(std::int64_t index) const override { return all_->raw(place(index)); }
  Value item(std::int64_t index) const override { return all_->item(place(index)); }
  Values batch(std::span<const std::int64_t> items) const override {
    std::vector<std::int64_t> chosen;
    for (const std::int64_t i : items) chosen.push_back(place(i));
    return all_->batch(chosen);
  }

 private:
  std::int64_t place(std::int64_t index) const { return places_[static_cast<std::size_t>(index)]; }
  std::shared_ptr<const TensorDataset> all_;
  std::vector<std::int64_t> places_;
};

/// Features of all training items, view by view: row view * n + item. View 0 is the plain one, as in validation.
class FeatureBank {
 public:
  FeatureBank(Learner& learn, const QuickFitOptions& options)
      : learn_(learn), options_(options), n_(learn.dls.train().n()), views_(draws() ? options.views : 0) {
    const torch::NoGradGuard no_grad;
    learn_.model.module().eval();
    for (int view = 0; view <= views_; ++view) compute(view);
    std::vector<Tensor> members = {std::move(rows_)};
    for (const std::vector<Tensor>& parts : targets_) members.push_back(torch::cat(parts));
    all_ = std::make_shared<TensorDataset>(std::move(members));
  }

  std::int64_t n() const { return n_; }
  int views() const { return views_; }
  double seconds() const { return seconds_since(start_); }
  /// A data set of these rows: features, then targets.
  std::shared_ptr<const Dataset> rows(std::vector<std::int64_t> places) const {
    return std::make_shared<RowsDataset>(all_, std::move(places));
  }
  /// Targets of the plain view.
  std::vector<Tensor> targets() const {
    std::vector<Tensor> plain;
    for (std::size_t t = 1; t < all_->tensors().size(); ++t) plain.push_back(all_->tensors()[t].narrow(0, 0, n_));
    return plain;
  }

 private:
  /// Whether the training transforms draw: if not, all their views are alike.
  bool draws() const {
    const Pipeline& p = learn_.dls.train().pipeline();
    const auto draw = [](const Transforms& tfms) {
      return std::ranges::any_of(tfms, [](const Transform& t) { return !t.deterministic(Split::train); });
    };
    return draw(p.item_tfms) || draw(p.batch_tfms) || std::ranges::any_of(p.blocks, draw);
  }

  void compute(int view) {
    const auto start = Clock::now();
    DataLoaderOptions in_order = learn_.dls.train().options();
    in_order.shuffle = in_order.drop_last = false;
    in_order.split = view == 0 ? Split::valid : Split::train;
    auto batches = learn_.dls.train().with(in_order).epoch(view);
    std::int64_t done = 0;
    for (Batch batch; batches.next(batch);) {
      const Tensor rows = learn_.model.features(batch.x);
      if (!rows_.defined()) make_room(rows);
      rows_.narrow(0, view * n_ + done, rows.size(0)).copy_(rows);
      targets_.resize(batch.y.size());
      for (std::size_t t = 0; t < batch.y.size(); ++t) targets_[t].push_back(batch.y[t].cpu());
      done += rows.size(0);
      show(view * n_ + done);
      if (!interrupt_requested()) continue;
      learn_.interrupted = true;
      throw CancelFit{};
    }
    learn_.loader_times = batches.times();
    learn_.train_seconds = seconds_since(start);
  }

  void make_room(const Tensor& rows) {
    if (rows.dim() != 2) {
      throw Error(ErrorCode::usage, "a quick fit needs a row of features an item",
                  {{"expected", "N x F"}, {"got", c10::str(rows.sizes())}}, "let Model::features pool and flatten");
    }
    const std::size_t bytes = static_cast<std::size_t>(n_ * rows.size(1)) * sizeof(float);
    if (bytes > options_.max_bytes) {
      throw Error(ErrorCode::usage, "the features of all training items do not fit into the memory of a quick fit",
                  {{"items", n_}, {"bytes", bytes}, {"max_bytes", options_.max_bytes}},
                  "raise max_bytes, or use fine_tune");
    }
    const int fitting = static_cast<int>(std::min<std::size_t>(options_.max_bytes / bytes - 1, views_));
    if (fitting < views_) {
      learn_.listener().message(Level::info,
                                fmt::format("{} of {} augmented views, since the features of more would take more than {} MB",
                                            fitting, views_, options_.max_bytes >> 20));
      views_ = fitting;
    }
    rows_ = torch::empty({(views_ + 1) * n_, rows.size(1)}, torch::kFloat32);
  }

  void show(std::int64_t done) const {
    const std::int64_t total = (views_ + 1) * n_;
    learn_.listener().progress({.what = "Features",
                                .done = done,
                                .total = total,
                                .elapsed_s = seconds_since(start_),
                                .finished = done == total});
  }

  Learner& learn_;
  const QuickFitOptions& options_;
  std::int64_t n_;
  int views_;
  Tensor rows_;                               // while they are computed
  std::vector<std::vector<Tensor>> targets_;  // likewise: one list a target, one tensor a batch
  std::shared_ptr<const TensorDataset> all_;
  Clock::time_point start_ = Clock::now();
};

/// How many of `n` items are held out.
std::int64_t share(std::int64_t n, double part) {
  return n < least_of_class ? 0 : std::max<std::int64_t>(1, std::llround(part * static_cast<double>(n)));
}

/// Items that say when to stop: a part of each class, or of all where the target is no class. None where they were too
/// few to say anything.
std::vector<std::int64_t> held_out_items(const FeatureBank& bank, const Learner& learn, double part) {
  std::vector<std::int64_t> classes(static_cast<std::size_t>(bank.n()), 0);
  if (learn.dls.pipeline().target == TargetKind::category) {
    const Tensor y = bank.targets().at(0).to(torch::kInt64).contiguous();
    classes.assign(y.const_data_ptr<std::int64_t>(), y.const_data_ptr<std::int64_t>() + bank.n());
  }
  std::map<std::int64_t, std::int64_t> left;
  for (const std::int64_t c : classes) ++left[c];
  for (auto& [c, n] : left) n = share(n, part);
  CounterRng rng(learn.dls.train().options().seed, held_out_stream);
  std::vector<std::int64_t> items;
  for (const std::int64_t item : permutation(bank.n(), rng)) {
    if (left[classes[static_cast<std::size_t>(item)]]-- > 0) items.push_back(item);
  }
  if (part <= 0 || items.size() < least_held_out) items.clear();
  return items;
}

/// All views of the items that are held out, or of those that are not.
std::vector<std::int64_t> rows_of(const FeatureBank& bank, const std::vector<std::int64_t>& held_out, bool out) {
  const std::unordered_set<std::int64_t> chosen(held_out.begin(), held_out.end());
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < (bank.views() + 1) * bank.n(); ++row) {
    if (chosen.contains(row % bank.n()) == out) rows.push_back(row);
  }
  return rows;
}

/// A temperature for logits, and the mean negative log-likelihood of the targets under softmax(logits / temperature).
struct Calibration {
  double temperature = 1;
  double loss = std::numeric_limits<double>::quiet_NaN();
};

/// The likeliest temperature (Guo et al. 2017), its logarithm having a normal prior around 0.
Calibration calibration_of(const Tensor& logits, const Tensor& targs) {
  namespace F = torch::nn::functional;
  if (logits.dim() != 2) return {};
  const torch::NoGradGuard no_grad;
  const auto n = static_cast<double>(logits.size(0));
  const auto loss = [&, classes = targs.to(torch::kInt64)](double log_t) {
    return F::cross_entropy(logits / std::exp(log_t), classes).item<double>();
  };
  const auto objective = [&](double log_t) {
    return n * loss(log_t) + log_t * log_t / (2 * prior_deviation * prior_deviation);
  };
  double high = std::log(largest_temperature), low = -high;
  while (high - low > 1e-3) {
    const double third = (high - low) / 3;
    if (objective(low + third) < objective(high - third))
      high -= third;
    else
      low += third;
  }
  const double best = (low + high) / 2;
  return {std::exp(best), loss(best)};
}

Preds logits_of(Learner& head, PredsOptions options) {
  options.act = [](const Tensor& x) { return x; };
  return head.get_preds(options);
}

/// What tells which epoch is the best. How sure a head is matters less than how it ranks the classes, since a
/// temperature sets that right afterwards: held-out items are asked after their own calibration where there is one.
enum class Judge { train_loss, held_out_loss, calibrated_loss };

/// Keeps the weights of the best epoch.
struct KeepBest {
  static constexpr int order = 70;  // after the recorder
  Judge judge;
  std::shared_ptr<Listener> listener;
  Clock::time_point start = Clock::now();
  double best = std::numeric_limits<double>::infinity();
  std::int64_t best_epoch = -1;
  std::vector<std::pair<Tensor, Tensor>> weights = {};

  void after_epoch(Learner& head) {
    const EpochRecord& row = head.recorder().epochs.back();
    const double loss = loss_of(head, row);
    if (loss < best) {
      best = loss;
      best_epoch = row.epoch;
      weights.clear();
      for (const auto& [name, tensor] : state_dict(head.model.module()))
        weights.emplace_back(tensor, tensor.detach().clone());
    }
    listener->progress({.what = "Head",
                        .done = head.epoch + 1,
                        .total = head.n_epoch,
                        .note = fmt::format("{:.4f}", loss),
                        .elapsed_s = seconds_since(start),
                        .finished = head.epoch + 1 == head.n_epoch});
  }

  void put_back() const {
    const torch::NoGradGuard no_grad;
    for (const auto& [tensor, value] : weights) Tensor(tensor).copy_(value);
  }

 private:
  double loss_of(Learner& head, const EpochRecord& row) const {
    if (judge != Judge::calibrated_loss) return judge == Judge::train_loss ? row.train_loss : row.valid_loss;
    const Preds held_out = logits_of(head, {.inner = true});
    return calibration_of(held_out.preds, held_out.targs).loss;
  }
};

/// The last group's modules as one.
struct Head : torch::nn::Module {
  explicit Head(const Model::Modules& modules) {
    for (std::size_t i = 0; i < modules.size(); ++i) register_module(std::to_string(i), modules[i]);
  }
};

DataLoader feature_loader(std::shared_ptr<const Dataset> rows, const Learner& learn, int bs, bool shuffle) {
  const auto pipeline = std::make_shared<Pipeline>(Pipeline{.blocks = {{}, {}}, .target = learn.dls.pipeline().target});
  const DataLoaderOptions& own = learn.dls.train().options();
  const int n = static_cast<int>(std::min<std::int64_t>(rows->size(), bs));
  return DataLoader(std::move(rows), pipeline,
                    {.bs = std::max(1, n),
                     .shuffle = shuffle,
                     .drop_last = shuffle,
                     .num_workers = 0,
                     .seed = own.seed,
                     .split = shuffle ? Split::train : Split::valid,
                     .device = own.device});
}

/// Divides what the head gives by the temperature, through the weights of its last layer. Gives what it was divided
/// by: 1 where the head does not end with a layer for which that is so.
double calibrate(Learner& head) {
  const torch::NoGradGuard no_grad;
  const Preds before = logits_of(head, {});
  const double temperature = calibration_of(before.preds, before.targs).temperature;
  std::vector<Tensor> last;
  for (const auto& module : head.model.module().modules()) {
    if (auto own = module->parameters(/*recurse=*/false); !own.empty()) last = std::move(own);
  }
  for (Tensor& p : last) p.div_(temperature);
  if (torch::allclose(logits_of(head, {}).preds, before.preds / temperature, 1e-3, 1e-4)) return temperature;
  for (Tensor& p : last) p.mul_(temperature);
  return 1;
}

/// `loss` is the learner's as it was before callbacks may have changed it for their batches.
void train_head(Learner& learn, const LossFunction& loss, const QuickFitOptions& o) {
  // No batch is done yet: a quick fit that is stopped begins again.
  learn.iter = -1;
  learn.n_iter = 1;
  const FeatureBank bank(learn, o);
  const double features_seconds = bank.seconds();
  const auto start = Clock::now();
  const auto held_out = held_out_items(bank, learn, o.held_out);
  Learner head(DataLoaders(feature_loader(bank.rows(rows_of(bank, held_out, false)), learn, o.bs, true),
                           feature_loader(bank.rows(rows_of(bank, held_out, true)), learn, o.bs, false)),
               Model(std::make_shared<Head>(learn.model.groups.back()), learn.model.head),
               {.opt_func = learn.options().opt_func,
                .loss_func = loss,
                .wd = o.wd ? o.wd : learn.options().wd,
                .wd_bn_bias = learn.options().wd_bn_bias,
                .moms = learn.options().moms,
                .listener = silent_listener()});
  const bool calibrates = o.calibrate && !held_out.empty() && loss.y_int() &&
                          learn.dls.pipeline().target == TargetKind::category;
  const auto best = std::make_shared<KeepBest>(KeepBest{.judge = calibrates           ? Judge::calibrated_loss
                                                                 : held_out.empty() ? Judge::train_loss
                                                                                    : Judge::held_out_loss,
                                                        .listener = learn.options().listener});
  const std::int64_t steps = std::max<std::int64_t>(1, head.dls.train().size());
  const auto epochs = o.epochs > 0 ? o.epochs : std::max(usual_epochs, (least_steps + steps - 1) / steps);
  head.fit_one_cycle(static_cast<int>(epochs), o.lr, {.cbs = {Callback(best)}});
  best->put_back();
  if (head.interrupted) {
    learn.interrupted = true;
    throw CancelFit{};
  }
  const double temperature = calibrates ? calibrate(head) : 1;
  learn.listener().event({{"event", "quick_fit"},
                          {"items", bank.n()},
                          {"views", bank.views()},
                          {"held_out", held_out.size()},
                          {"epochs", head.recorder().epochs.size()},
                          {"best_epoch", best->best_epoch},
                          {"temperature", temperature},
                          {"features_seconds", features_seconds},
                          {"head_seconds", seconds_since(start)}});
  // All plain items are the one batch that the learner's callbacks see.
  std::vector<std::int64_t> plain(static_cast<std::size_t>(bank.n()));
  std::iota(plain.begin(), plain.end(), 0);
  learn.pred = logits_of(head, {.dl = feature_loader(bank.rows(plain), learn, o.bs, false)}).preds;
  learn.yb = bank.targets();
  learn.xb.clear();
  learn.items = std::move(plain);
  learn.loss_grad = learn.loss = loss(learn.pred, learn.yb);
  learn.iter = 0;
  learn(Event::after_batch);
}

}  // namespace

void Learner::quick_fit(const QuickFitOptions& options) {
  if (!model.features || !model.head || model.groups.empty()) {
    throw Error(ErrorCode::usage, "a quick fit needs a model in two parts: this one does not say its body and head", {},
                "use fit_one_cycle, or set Model::features, Model::head and Model::groups");
  }
  freeze();
  opt->set_hyper("lr", options.lr);
  run_fit(1, options.cbs, [&, loss = loss_func](std::int64_t first) {
    if (first == 0) train_head(*this, loss, options);
  });
}

}  // namespace kindling
