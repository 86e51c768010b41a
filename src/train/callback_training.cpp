#include <kindling/core/error.hpp>
#include <kindling/train/callback_training.hpp>
#include <kindling/train/learner.hpp>

#include "train/norm_layers.hpp"

#include <torch/nn/modules/dropout.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/utils.h>

namespace kindling {

namespace {

bool is_dropout(const torch::nn::Module& m) {
  return dynamic_cast<const torch::nn::DropoutImpl*>(&m) || dynamic_cast<const torch::nn::Dropout2dImpl*>(&m) ||
         dynamic_cast<const torch::nn::Dropout3dImpl*>(&m) || dynamic_cast<const torch::nn::AlphaDropoutImpl*>(&m) ||
         dynamic_cast<const torch::nn::FeatureAlphaDropoutImpl*>(&m);
}

void set_dropout(Learner& learn, bool on) {
  for (const auto& m : learn.model.module().modules()) {
    if (is_dropout(*m)) m->train(on);
  }
}

bool trains(const torch::nn::Module& m) {
  for (const auto& p : m.parameters(/*recurse=*/false)) {
    if (p.requires_grad()) return true;
  }
  return false;
}

}  // namespace

void ParamScheduler::before_batch(Learner& learn) const {
  for (const auto& [name, per_group] : scheds) {
    std::vector<double> values;
    for (std::size_t g = 0; g < learn.opt->n_groups(); ++g)
      values.push_back(per_group[per_group.size() == 1 ? 0 : g](learn.pct_train));
    learn.opt->set_hyper(name, Hyper(std::move(values)));
  }
}

void SkipToEpoch::before_epoch(Learner& learn) const {
  if (learn.epoch < epoch) throw CancelEpoch{};
}

void ShortEpochCallback::after_batch(Learner& learn) const {
  if (static_cast<double>(learn.iter) / static_cast<double>(learn.n_iter) < pct) return;
  if (learn.training) throw CancelTrain{};
  if (short_valid) throw CancelValid{};
}

void GradientAccumulation::after_loss(Learner& learn) const {
  if (!learn.loss_grad.defined()) return;
  learn.loss_grad = learn.loss_grad * (static_cast<double>(learn.batch_size()) / static_cast<double>(n_acc));
}

void GradientAccumulation::before_step(Learner& learn) {
  count += learn.batch_size();
  if (count < n_acc) throw CancelBatch{};  // gradients stay
  count = 0;
}

void GradientClip::before_step(Learner& learn) const {
  torch::nn::utils::clip_grad_norm_(learn.model.module().parameters(), max_norm, norm_type);
}

void BnFreeze::before_train(Learner& learn) const {
  for (const auto& m : learn.model.module().modules()) {
    if (detail::is_norm(*m) && !m->parameters(/*recurse=*/false).empty() && !trains(*m)) m->eval();
  }
}

void ChannelsLast::before_fit(Learner& learn) const {
  torch::NoGradGuard no_grad;
  for (torch::Tensor& p : learn.model.module().parameters()) {
    if (p.dim() == 4) p.set_data(p.contiguous(torch::MemoryFormat::ChannelsLast));
  }
}

void ChannelsLast::before_batch(Learner& learn) const {
  for (torch::Tensor& x : learn.xb) {
    if (x.dim() == 4) x = x.contiguous(torch::MemoryFormat::ChannelsLast);
  }
}

void MCDropoutCallback::before_validate(Learner& learn) const {
  set_dropout(learn, true);
}

void MCDropoutCallback::after_validate(Learner& learn) const {
  set_dropout(learn, false);
}

void ModelAverage::before_fit(Learner& learn) {
  averages_.clear();
  swapped_ = false;
  for (const torch::Tensor& p : learn.model.module().parameters()) averages_.push_back(p.detach().clone());
}

void ModelAverage::after_step(Learner& learn) {
  torch::NoGradGuard no_grad;
  at::_foreach_lerp_(averages_, learn.model.module().parameters(), 1 - options_.decay);
}

/// Contents change places, so that optimizer and model keep their tensors.
void ModelAverage::swap(Learner& learn) {
  torch::NoGradGuard no_grad;
  const auto params = learn.model.module().parameters();
  for (std::size_t i = 0; i < params.size(); ++i) {
    const torch::Tensor own = params[i].clone();
    params[i].copy_(averages_[i]);
    averages_[i].copy_(own);
  }
  swapped_ = !swapped_;
}

void ModelAverage::before_validate(Learner& learn) {
  if (options_.validate) swap(learn);
}

void ModelAverage::after_validate(Learner& learn) {
  if (swapped_) swap(learn);
}

void ModelAverage::after_fit(Learner& learn) {
  // A fit that was cancelled within a validation has not come back yet.
  if (swapped_) swap(learn);
  if (!options_.keep_at_end || learn.interrupted) return;
  torch::NoGradGuard no_grad;
  const auto params = learn.model.module().parameters();
  for (std::size_t i = 0; i < params.size(); ++i) params[i].copy_(averages_[i]);
}

void ModelAverage::save_state(CallbackState& state) const {
  for (std::size_t i = 0; i < averages_.size(); ++i) state.tensors.emplace_back(std::to_string(i), averages_[i]);
}

void ModelAverage::load_state(const CallbackState& state) {
  // A fit that had ended is not begun again: its averages are made here.
  if (averages_.empty()) {
    for (std::size_t i = 0; i < state.tensors.size(); ++i) averages_.push_back(state.tensor(std::to_string(i)).clone());
  }
  if (state.tensors.size() != averages_.size())
    throw Error(ErrorCode::bad_model, "the checkpoint holds averages of another model",
                {{"expected", averages_.size()}, {"got", state.tensors.size()}});
  for (std::size_t i = 0; i < averages_.size(); ++i) averages_[i].copy_(state.tensor(std::to_string(i)));
}

}  // namespace kindling
