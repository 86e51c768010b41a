#pragma once
/// Training in half precision: autocast, and the scaler that keeps small float16 gradients from vanishing.

#include <kindling/train/learner.hpp>

#include <memory>
#include <vector>

namespace kindling {

/// torch's `GradScaler` (torch.amp): the loss is multiplied by a scale that halves at gradients that are infinite or no
/// number and doubles after `growth_interval` good steps.
class GradScaler {
 public:
  explicit GradScaler(GradScalerOptions options = {});
  /// The loss times the scale.
  torch::Tensor scale(const torch::Tensor& loss);
  /// Divides gradients by the scale; false where one is infinite or no number: the step is to be left out then.
  bool unscale(const std::vector<torch::Tensor>& grads);
  /// After each step, also one left out.
  void update();
  double get_scale() const;
  const GradScalerOptions& options() const { return options_; }

  void save_state(CallbackState& state) const;
  void load_state(const CallbackState& state);

 private:
  void on(torch::Device device);
  GradScalerOptions options_;
  torch::Tensor scale_, growth_, found_inf_;
};

struct MixedPrecisionOptions {
  torch::ScalarType dtype = torch::kFloat16;  ///< or kBFloat16
  GradScalerOptions scaler = {};              ///< float16 alone
};

/// The model runs under autocast, predictions come back as float32 (fastai `MixedPrecision`).
class MixedPrecision {
 public:
  static constexpr int order = 10;
  explicit MixedPrecision(MixedPrecisionOptions options = {});
  void before_fit(Learner& learn);
  void before_batch(Learner& learn);
  void after_pred(Learner& learn);
  void before_backward(Learner& learn);
  void after_backward(Learner& learn);
  void before_step(Learner& learn);
  void after_step(Learner& learn);
  void after_batch(Learner& learn) { leave(); }
  void after_cancel_batch(Learner& learn) { leave(); }
  void after_cancel_fit(Learner& learn) { leave(); }
  void save_state(CallbackState& state) const { scaler_.save_state(state); }
  void load_state(const CallbackState& state) { scaler_.load_state(state); }

  /// The scale of each step that was done.
  const std::vector<double>& scales() const { return scales_; }

  ~MixedPrecision() { leave(); }

 private:
  void enter(Learner& learn);
  void leave();
  MixedPrecisionOptions options_;
  GradScaler scaler_;
  std::vector<double> scales_;
  bool inside_ = false;
  torch::DeviceType device_ = torch::kCPU;
};

}  // namespace kindling
