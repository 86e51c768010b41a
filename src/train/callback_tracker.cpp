#include <kindling/core/error.hpp>
#include <kindling/train/callback_tracker.hpp>
#include <kindling/train/learner.hpp>

#include "train/monitor.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>

namespace kindling {

namespace {

/// Items named in an error at most.
constexpr std::size_t most_named = 8;

void tell(Learner& learn, const std::string& text) {
  learn.listener().message(Level::info, text);
}

bool finite(const torch::Tensor& t) {
  return !t.is_floating_point() || t.isfinite().all().item<bool>();
}

/// Places in the batch of the items with a value that is infinite or no number.
std::vector<std::size_t> broken_places(const Learner& learn) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < learn.items.size(); ++i) {
    const auto bad = [&](const torch::Tensor& t) { return !finite(t[static_cast<std::int64_t>(i)]); };
    if (std::any_of(learn.xb.begin(), learn.xb.end(), bad) || std::any_of(learn.yb.begin(), learn.yb.end(), bad))
      places.push_back(i);
  }
  return places;
}

void name_items(Error& error, const Learner& learn, const std::vector<std::size_t>& places) {
  for (std::size_t k = 0; k < std::min(places.size(), most_named); ++k) {
    const std::int64_t item = learn.items[places[k]];
    error.with(Fact(fmt::format("item {}", item), describe(learn.dls.train().dataset().item(item))));
  }
  if (places.size() > most_named) error.with(Fact("and so many more", places.size() - most_named));
}

}  // namespace

TrackerCallback::TrackerCallback(TrackerOptions options)
    : options_(std::move(options)), less_(options_.less.value_or(detail::less_is_better(options_.monitor))) {
  if (less_) options_.min_delta = -options_.min_delta;
}

void TrackerCallback::before_fit(Learner& learn) {
  (void)learn.recorder().last(options_.monitor);  // throws for an unknown column
  if (begun_ && !options_.reset_on_fit) return;
  begun_ = true;
  best_ = less_ ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
}

void TrackerCallback::after_epoch(Learner& learn) {
  const double value = learn.recorder().last(options_.monitor);
  const double beyond = value - options_.min_delta;
  new_best_ = less_ ? beyond < best_ : beyond > best_;
  if (new_best_) best_ = value;
}

void TrackerCallback::save_state(CallbackState& state) const {
  // The best may be infinite, which JSON does not know.
  state.tensors.emplace_back("best", torch::tensor({best_}, torch::kFloat64));
  state.values = {{"begun", begun_}, {"new_best", new_best_}};
}

void TrackerCallback::load_state(const CallbackState& state) {
  best_ = state.tensor("best").item<double>();
  begun_ = state.values.at("begun").get<bool>();
  new_best_ = state.values.at("new_best").get<bool>();
}

SaveModelCallback::SaveModelCallback(SaveModelSettings settings)
    : TrackerCallback(settings.tracker), settings_(std::move(settings)) {
  if (settings_.every_epoch != 0 && settings_.at_end)
    throw Error(ErrorCode::usage, "every_epoch and at_end cannot both be set", {}, "leave one of them out");
}

void SaveModelCallback::after_epoch(Learner& learn) {
  const SaveModelOptions how{.with_opt = settings_.with_opt};
  if (settings_.every_epoch != 0) {
    if (learn.epoch % settings_.every_epoch == 0)
      last_saved_ = learn.save(fmt::format("{}_{}", settings_.fname, learn.epoch), how);
    return;
  }
  TrackerCallback::after_epoch(learn);
  if (!new_best()) return;
  tell(learn, fmt::format("Better model found at epoch {} with {} value: {}.", learn.epoch, options().monitor, best()));
  last_saved_ = learn.save(settings_.fname, how);
}

void SaveModelCallback::after_fit(Learner& learn) {
  if (settings_.at_end)
    last_saved_ = learn.save(settings_.fname, {.with_opt = settings_.with_opt});
  else if (settings_.every_epoch == 0 && !last_saved_.empty())
    learn.load(last_saved_, {.with_opt = settings_.with_opt});
}

void SaveModelCallback::save_state(CallbackState& state) const {
  TrackerCallback::save_state(state);
  state.values["last_saved"] = last_saved_.string();
}

void SaveModelCallback::load_state(const CallbackState& state) {
  TrackerCallback::load_state(state);
  last_saved_ = state.values.at("last_saved").get<std::string>();
}

EarlyStoppingCallback::EarlyStoppingCallback(EarlyStoppingSettings settings)
    : TrackerCallback(settings.tracker), patience_(settings.patience) {}

void EarlyStoppingCallback::before_fit(Learner& learn) {
  wait_ = 0;
  TrackerCallback::before_fit(learn);
}

void EarlyStoppingCallback::after_epoch(Learner& learn) {
  TrackerCallback::after_epoch(learn);
  wait_ = new_best() ? 0 : wait_ + 1;
  if (wait_ < patience_ || new_best()) return;
  tell(learn, fmt::format("No improvement since epoch {}: early stopping", learn.epoch - wait_));
  throw CancelFit{};
}

void EarlyStoppingCallback::save_state(CallbackState& state) const {
  TrackerCallback::save_state(state);
  state.values["wait"] = wait_;
}

void EarlyStoppingCallback::load_state(const CallbackState& state) {
  TrackerCallback::load_state(state);
  wait_ = state.values.at("wait").get<int>();
}

ReduceLROnPlateau::ReduceLROnPlateau(ReduceLRSettings settings)
    : TrackerCallback(settings.tracker), settings_(std::move(settings)) {}

void ReduceLROnPlateau::before_fit(Learner& learn) {
  wait_ = 0;
  TrackerCallback::before_fit(learn);
}

void ReduceLROnPlateau::after_epoch(Learner& learn) {
  TrackerCallback::after_epoch(learn);
  wait_ = new_best() ? 0 : wait_ + 1;
  if (wait_ < settings_.patience || new_best()) return;
  wait_ = 0;
  std::vector<double> rates;
  for (std::size_t g = 0; g < learn.opt->n_groups(); ++g)
    rates.push_back(std::max(learn.opt->hypers(g).at("lr") / settings_.factor, settings_.min_lr));
  const double before = learn.opt->hypers(rates.size() - 1).at("lr"), after = rates.back();
  learn.opt->set_hyper("lr", Hyper(std::move(rates)));
  if (after < before) tell(learn, fmt::format("Epoch {}: reducing lr to {}", learn.epoch, after));
}

void ReduceLROnPlateau::save_state(CallbackState& state) const {
  TrackerCallback::save_state(state);
  state.values["wait"] = wait_;
}

void ReduceLROnPlateau::load_state(const CallbackState& state) {
  TrackerCallback::load_state(state);
  wait_ = state.values.at("wait").get<int>();
}

void TerminateOnNaNCallback::after_batch(Learner& learn) const {
  if (learn.loss.defined() && !finite(learn.loss)) throw CancelFit{};
}

void StopOnNaN::after_batch(Learner& learn) const {
  if (!learn.loss.defined() || finite(learn.loss)) return;
  auto places = broken_places(learn);
  const bool bad_items = !places.empty();
  Error error =
      bad_items ? Error(ErrorCode::bad_data, "the loss is not a finite number, since items hold such values",
                        {{"epoch", learn.epoch}, {"batch", learn.iter}}, "repair or leave out these items")
                : Error(ErrorCode::usage, "the loss is not a finite number any more: the training has run away",
                        {{"epoch", learn.epoch}, {"batch", learn.iter}},
                        "a smaller learning rate (--lr); if it is the very first batch, look at the items named");
  if (!bad_items) {
    for (std::size_t i = 0; i < learn.items.size(); ++i) places.push_back(i);
  }
  name_items(error, learn, places);
  throw error;
}

}  // namespace kindling
