#include <kindling/core/error.hpp>
#include <kindling/train/mixed_precision.hpp>

#include <algorithm>

#include <ATen/autocast_mode.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace kindling {

namespace {

constexpr const char* callback_name = "MixedPrecision";

std::vector<torch::Tensor> gradients(const Learner& learn) {
  std::vector<torch::Tensor> grads;
  for (const auto& p : learn.model.module().parameters()) {
    if (p.grad().defined()) grads.push_back(p.grad());
  }
  return grads;
}

}  // namespace

GradScaler::GradScaler(GradScalerOptions options) : options_(options) {
  scale_ = torch::full({}, options_.init_scale, torch::kFloat32);
  growth_ = torch::zeros({}, torch::kInt32);
  found_inf_ = torch::zeros({}, torch::kFloat32);
}

void GradScaler::on(torch::Device device) {
  if (scale_.device() == device) return;
  for (torch::Tensor* t : {&scale_, &growth_, &found_inf_}) *t = t->to(device);
}

torch::Tensor GradScaler::scale(const torch::Tensor& loss) {
  if (!options_.enabled) return loss;
  on(loss.device());
  return loss * scale_;
}

bool GradScaler::unscale(const std::vector<torch::Tensor>& grads) {
  if (!options_.enabled || grads.empty()) return true;
  torch::NoGradGuard no_grad;
  on(grads.front().device());
  found_inf_.zero_();
  const torch::Tensor inverse = scale_.to(torch::kFloat64).reciprocal().to(torch::kFloat32);
  at::_amp_foreach_non_finite_check_and_unscale_(grads, found_inf_, inverse);
  return found_inf_.item<float>() == 0;
}

void GradScaler::update() {
  if (!options_.enabled) return;
  torch::NoGradGuard no_grad;
  at::_amp_update_scale_(scale_, growth_, found_inf_, options_.growth_factor, options_.backoff_factor,
                         options_.growth_interval);
  found_inf_.zero_();
}

double GradScaler::get_scale() const {
  return options_.enabled ? scale_.item<float>() : 1;
}

void GradScaler::save_state(CallbackState& state) const {
  state.tensors.emplace_back("scale", scale_);
  state.tensors.emplace_back("growth", growth_);
}

void GradScaler::load_state(const CallbackState& state) {
  scale_.copy_(state.tensor("scale"));
  growth_.copy_(state.tensor("growth"));
}

MixedPrecision::MixedPrecision(MixedPrecisionOptions options) : options_(options), scaler_([&] {
  GradScalerOptions o = options.scaler;
  o.enabled = o.enabled && options.dtype == torch::kFloat16;
  return o;
}()) {}

void MixedPrecision::before_fit(Learner& learn) {
  device_ = learn.dls.device().type();
  scaler_ = GradScaler(scaler_.options());
  scales_.clear();
}

void MixedPrecision::enter(Learner& learn) {
  if (inside_) return;
  device_ = learn.dls.device().type();
  at::autocast::set_autocast_dtype(device_, options_.dtype);
  at::autocast::set_autocast_enabled(device_, true);
  at::autocast::increment_nesting();
  inside_ = true;
}

void MixedPrecision::leave() {
  if (!inside_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, false);
  inside_ = false;
}

void MixedPrecision::before_batch(Learner& learn) {
  enter(learn);
}

void MixedPrecision::after_pred(Learner& learn) {
  if (learn.pred.scalar_type() == options_.dtype) learn.pred = learn.pred.to(torch::kFloat32);
}

void MixedPrecision::before_backward(Learner& learn) {
  leave();
  learn.loss_grad = scaler_.scale(learn.loss_grad);
}

void MixedPrecision::after_backward(Learner& learn) {
  // The next part of a batch that is run in parts.
  if (learn.batch_parts() > 1) enter(learn);
}

void MixedPrecision::before_step(Learner& learn) {
  leave();
  if (!scaler_.unscale(gradients(learn))) throw CancelStep{};
  scales_.push_back(scaler_.get_scale());
}

void MixedPrecision::after_step(Learner&) {
  scaler_.update();
}

Learner& Learner::to_fp16(const GradScalerOptions& scaler) {
  to_fp32();
  add_cb(MixedPrecision({.dtype = torch::kFloat16, .scaler = scaler}));
  return *this;
}

Learner& Learner::to_bf16() {
  to_fp32();
  add_cb(MixedPrecision({.dtype = torch::kBFloat16}));
  return *this;
}

Learner& Learner::to_fp32() {
  remove_cb(callback_name);
  return *this;
}

}  // namespace kindling
