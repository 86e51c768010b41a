#include <kindling/core/error.hpp>
#include <kindling/train/optimizer.hpp>

#include <cmath>

#include <torch/utils.h>

namespace kindling {

Optimizer::Optimizer(ParamGroups groups, Hypers defaults)
    : groups_(std::move(groups)), hypers_(groups_.size(), std::move(defaults)) {
  if (groups_.empty()) throw Error(ErrorCode::usage, "an optimizer needs a group of parameters");
}

void Optimizer::step() {
  torch::NoGradGuard no_grad;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    for (bool decays : {true, false}) {
      Tensors params, grads;
      for (const Param& p : groups_[g]) {
        if (p.do_wd != decays || !p.tensor.grad().defined()) continue;
        params.push_back(p.tensor);
        grads.push_back(p.tensor.grad());
      }
      if (!params.empty()) step_params(params, grads, hypers_[g], decays ? hypers_[g].at("wd") : 0);
    }
  }
}

void Optimizer::zero_grad() {
  for (auto& group : groups_) {
    for (Param& p : group) p.tensor.mutable_grad().reset();
  }
}

void Optimizer::set_hyper(const std::string& name, const Hyper& value) {
  if (!has_hyper(name)) {
    throw Error(ErrorCode::usage, "this optimizer has no such hyper-parameter", {{"name", name}});
  }
  const auto values = value.over(groups_.size());
  for (std::size_t g = 0; g < groups_.size(); ++g) hypers_[g][name] = values[g];
}

void Optimizer::freeze_to(int n) {
  const int total = static_cast<int>(groups_.size());
  const int first = n >= 0 ? n : total + n;
  if (first < 0 || first > total || (total == 1 && n < 0)) {
    // One group cannot be split: freezing all but the last of one leaves all trainable, as in fastai.
    if (total != 1) {
      throw Error(ErrorCode::usage, "freeze_to names a parameter group that is not there",
                  {{"n", n}, {"groups", total}});
    }
  }
  frozen_ = first;
  for (int g = 0; g < total; ++g) {
    for (Param& p : groups_[g]) p.tensor.requires_grad_(g >= first || p.force_train);
  }
  clear_state();
}

Optimizer::Tensors Optimizer::state_of(const Tensors& params, const std::string& name, bool scalar) {
  Tensors all;
  all.reserve(params.size());
  for (const auto& p : params) {
    torch::Tensor& state = state_[p.unsafeGetTensorImpl()][name];
    if (!state.defined()) {
      state = scalar ? torch::zeros({}, torch::TensorOptions(torch::kFloat32).device(p.device()))
                     : torch::zeros_like(p, torch::MemoryFormat::Preserve);
    }
    all.push_back(state);
  }
  return all;
}

namespace {

using Tensors = std::vector<torch::Tensor>;

/// Weight decay on the weights themselves, or on the gradients (which are then new tensors).
Tensors decay(const Tensors& params, const Tensors& grads, double lr, double wd, bool decouple) {
  if (wd == 0) return grads;
  if (!decouple) return at::_foreach_add(grads, params, wd);
  at::_foreach_mul_(params, 1 - lr * wd);
  return grads;
}

class SGDOptimizer final : public Optimizer {
 public:
  SGDOptimizer(ParamGroups groups, const SGDOptions& o)
      : Optimizer(std::move(groups), {{"lr", o.lr}, {"mom", o.mom}, {"wd", o.wd}}),
        decouple_(o.decouple_wd) {}

 private:
  void step_params(const Tensors& params, const Tensors& grads, const Hypers& h, double wd) override {
    Tensors directions = decay(params, grads, h.at("lr"), wd, decouple_);
    if (h.at("mom") != 0) {
      Tensors velocity = state_of(params, "grad_avg");
      at::_foreach_mul_(velocity, h.at("mom"));
      at::_foreach_add_(velocity, directions);
      directions = std::move(velocity);
    }
    at::_foreach_add_(params, directions, -h.at("lr"));
  }
  bool decouple_;
};

class AdamOptimizer final : public Optimizer {
 public:
  AdamOptimizer(ParamGroups groups, const AdamOptions& o)
      : Optimizer(std::move(groups),
                  {{"lr", o.lr}, {"mom", o.mom}, {"sqr_mom", o.sqr_mom}, {"eps", o.eps}, {"wd", o.wd}}),
        decouple_(o.decouple_wd) {}

 private:
  // The fused kernels compute fastai's formula in one pass: decay, both averages, debiasing by the current
  // mom, and eps outside the root.
  void step_params(const Tensors& params, const Tensors& grads, const Hypers& h, double wd) override {
    Tensors averages = state_of(params, "grad_avg"), squares = state_of(params, "sqr_avg");
    Tensors steps = state_of(params, "step", true);
    at::_foreach_add_(steps, 1);
    auto update = [&](auto&& fused) {
      fused(params, grads, averages, squares, Tensors{}, steps, h.at("lr"), h.at("mom"), h.at("sqr_mom"), wd,
            h.at("eps"),
            /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/std::nullopt, /*found_inf=*/std::nullopt);
    };
    if (decouple_)
      update([](auto&&... args) { at::_fused_adamw_(args...); });
    else
      update([](auto&&... args) { at::_fused_adam_(args...); });
  }
  bool decouple_;
};

}  // namespace

OptFunc SGD(SGDOptions options) {
  return [options](ParamGroups groups) { return std::make_unique<SGDOptimizer>(std::move(groups), options); };
}

OptFunc Adam(AdamOptions options) {
  return
      [options](ParamGroups groups) { return std::make_unique<AdamOptimizer>(std::move(groups), options); };
}

}  // namespace kindling
