#pragma once
/// What the layers of any model give in a forward pass, without a change to the model.
///
///   auto hooks = hook_outputs({net->conv1.ptr(), net->fc.ptr()});
///   net->forward(x);
///   hooks.stored[0];                                      // output of conv1
///
/// A layer is known by its parameters: the output of a convolution, linear, norm or embedding layer is that of the
/// operation which took its weight. Layers without parameters of their own cannot be hooked. Only the thread that made the
/// hooks is watched.

#include <kindling/train/callback.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/nn/module.h>
#include <torch/types.h>

namespace kindling {

using ModulePtr = std::shared_ptr<torch::nn::Module>;

/// Calls a function with each output of the layers, as long as it lives (fastai `Hooks`). Throws `usage` for a layer
/// without parameters of its own.
class Hooks {
 public:
  using OnOutput = std::function<void(std::size_t layer, const torch::Tensor& output)>;
  Hooks(const std::vector<ModulePtr>& layers, OnOutput on_output);
  ~Hooks();
  Hooks(Hooks&&) noexcept;
  Hooks& operator=(Hooks&&) noexcept;
  void remove();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The layers' outputs of the last forward pass.
struct StoredHooks {
  std::shared_ptr<std::vector<torch::Tensor>> kept;
  Hooks hooks;
  const torch::Tensor& operator[](std::size_t layer) const { return kept->at(layer); }
  std::size_t size() const { return kept->size(); }
};

/// fastai `hook_outputs`. With `grad` the gradients at the outputs, after backward.
StoredHooks hook_outputs(const std::vector<ModulePtr>& layers, bool detach = true, bool grad = false);
StoredHooks hook_output(ModulePtr layer, bool detach = true, bool grad = false);

/// Layers that can be hooked: those with parameters and without children, in the order of registration.
std::vector<ModulePtr> hookable_layers(const torch::nn::Module& model);

/// Mean, spread and share of near-zero outputs of layers at each training batch (fastai `ActivationStats`).
class ActivationStats {
 public:
  static constexpr int order = -20;
  static constexpr bool run_valid = false;
  static constexpr bool fit_only = true;

  struct Stats {
    double mean = 0;
    double std = 0;
    double near_zero = 0;  ///< part of the outputs between -0.05 and 0.05
    std::vector<double> hist = {};  ///< with_hist: counts of 40 bins from 0 to 10
  };

  /// Layers to watch; empty: all that can be. One batch in `every` is measured.
  explicit ActivationStats(std::vector<ModulePtr> layers = {}, bool with_hist = false, int every = 1);
  void before_fit(Learner& learn);
  void before_batch(Learner& learn);
  void after_pred(Learner& learn);
  void after_fit(Learner& learn);
  void after_cancel_fit(Learner& learn) { after_fit(learn); }

  /// stats[batch][layer]
  const std::vector<std::vector<Stats>>& stats() const { return stats_; }
  /// One value of a layer over the batches: `layer_stats(0, &ActivationStats::Stats::mean)`.
  std::vector<double> layer_stats(std::size_t layer, double Stats::*value) const;

 private:
  std::vector<ModulePtr> layers_;
  bool with_hist_;
  int every_;
  std::shared_ptr<Hooks> hooks_;
  std::vector<std::vector<Stats>> stats_;
};

}  // namespace kindling
