#pragma once
/// torch's own optimizers inside a learner (fastai `OptimWrapper`).
///
///   auto opt_func = OptimWrapper<torch::optim::AdamW>(torch::optim::AdamWOptions(1e-3).weight_decay(0.1));
///   Learner learn(dls, model, {.opt_func = opt_func});
///
/// Schedules and `wd` move its settings under fastai's names: momentum and the first beta are "mom", alpha and
/// the second beta "sqr_mom", weight_decay "wd". torch decays every parameter, norm layers and biases too, as
/// fastai's wrapper does.

#include <kindling/train/optimizer.hpp>

#include <torch/optim/optimizer.h>

namespace kindling {

/// Makes one of torch's optimizers over parameter groups that carry no options of their own.
using TorchOptimFunc = std::function<std::unique_ptr<torch::optim::Optimizer>(
    std::vector<torch::optim::OptimizerParamGroup> groups)>;

/// Any optimizer of torch's or derived from it. For one of the user's own only "lr" is known, and its state cannot be
/// saved (`unsupported`). Making one throws `unsupported` for LBFGS, which would need the loss anew within a step.
OptFunc OptimWrapper(TorchOptimFunc make);

template <class TorchOptim, class Options>
OptFunc OptimWrapper(Options options) {
  return OptimWrapper(TorchOptimFunc([options](std::vector<torch::optim::OptimizerParamGroup> groups) {
    return std::make_unique<TorchOptim>(std::move(groups), options);
  }));
}

}  // namespace kindling
