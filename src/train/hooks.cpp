#include <kindling/core/error.hpp>
#include <kindling/train/hooks.hpp>
#include <kindling/train/learner.hpp>

#include "train/forward_watch.hpp"

#include <map>

#include <torch/types.h>

namespace kindling {

namespace {

constexpr int hist_bins = 40;
constexpr double hist_end = 10;
constexpr double near_zero = 0.05;

ActivationStats::Stats measured(const torch::Tensor& output, bool with_hist) {
  torch::NoGradGuard no_grad;
  const torch::Tensor y = output.detach().to(torch::kFloat32);
  ActivationStats::Stats stats{.mean = y.mean().item<double>(),
                               .std = y.numel() > 1 ? y.std().item<double>() : 0,
                               .near_zero = (y.abs() <= near_zero).to(torch::kFloat32).mean().item<double>()};
  if (!with_hist) return stats;
  const torch::Tensor counts = y.histc(hist_bins, 0, hist_end).cpu();
  for (int bin = 0; bin < hist_bins; ++bin) stats.hist.push_back(counts[bin].item<double>());
  return stats;
}

}  // namespace

struct Hooks::State {
  std::map<const void*, std::size_t> layer_of;
  std::unique_ptr<detail::ForwardWatch> watch;
};

Hooks::Hooks(const std::vector<ModulePtr>& layers, OnOutput on_output) : state_(std::make_unique<State>()) {
  std::vector<torch::Tensor> params;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto own = layers[i]->parameters(/*recurse=*/false);
    if (own.empty()) {
      throw Error(ErrorCode::usage, "a layer without parameters of its own cannot be hooked",
                  {{"layer", layers[i]->name()}, {"place", i}}, "hook a convolution, linear, norm or embedding layer");
    }
    for (const torch::Tensor& p : own) {
      state_->layer_of.emplace(p.unsafeGetTensorImpl(), i);
      params.push_back(p);
    }
  }
  state_->watch = std::make_unique<detail::ForwardWatch>(
      params, std::vector<std::string_view>{},
      [state = state_.get(), on = std::move(on_output)](std::string_view, const void* param, const torch::Tensor& y) {
        on(state->layer_of.at(param), y);
      });
}

Hooks::~Hooks() = default;
Hooks::Hooks(Hooks&&) noexcept = default;
Hooks& Hooks::operator=(Hooks&&) noexcept = default;

void Hooks::remove() {
  state_.reset();
}

StoredHooks hook_outputs(const std::vector<ModulePtr>& layers, bool detach, bool grad) {
  auto kept = std::make_shared<std::vector<torch::Tensor>>(layers.size());
  Hooks hooks(layers, [kept, detach, grad](std::size_t layer, const torch::Tensor& y) {
    if (!grad) {
      (*kept)[layer] = detach ? y.detach() : y;
    } else if (y.requires_grad()) {
      y.register_hook([kept, layer](const torch::Tensor& g) { (*kept)[layer] = g.detach(); });
    }
  });
  return {std::move(kept), std::move(hooks)};
}

StoredHooks hook_output(ModulePtr layer, bool detach, bool grad) {
  return hook_outputs({std::move(layer)}, detach, grad);
}

std::vector<ModulePtr> hookable_layers(const torch::nn::Module& model) {
  std::vector<ModulePtr> layers;
  for (const ModulePtr& m : model.modules(/*include_self=*/false)) {
    if (m->children().empty() && !m->parameters(/*recurse=*/false).empty()) layers.push_back(m);
  }
  return layers;
}

ActivationStats::ActivationStats(std::vector<ModulePtr> layers, bool with_hist, int every)
    : layers_(std::move(layers)), with_hist_(with_hist), every_(every) {
  if (every < 1) throw Error(ErrorCode::usage, "every must be at least 1", {{"every", every}});
}

void ActivationStats::before_fit(Learner& learn) {
  stats_.clear();
  if (layers_.empty()) layers_ = hookable_layers(learn.model.module());
}

void ActivationStats::before_batch(Learner& learn) {
  if (learn.train_iter % every_ != 0) return;
  stats_.emplace_back(layers_.size());
  hooks_ = std::make_shared<Hooks>(layers_, [this](std::size_t layer, const torch::Tensor& y) {
    stats_.back()[layer] = measured(y, with_hist_);
  });
}

void ActivationStats::after_pred(Learner&) {
  hooks_.reset();
}

void ActivationStats::after_fit(Learner&) {
  hooks_.reset();
}

std::vector<double> ActivationStats::layer_stats(std::size_t layer, double Stats::*value) const {
  std::vector<double> values;
  for (const auto& batch : stats_) values.push_back(batch.at(layer).*value);
  return values;
}

}  // namespace kindling
