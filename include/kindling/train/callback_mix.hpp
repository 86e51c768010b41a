#pragma once
/// Training on mixtures of two items: mixup and CutMix.

#include <kindling/train/callback.hpp>
#include <kindling/train/losses.hpp>

#include <functional>
#include <vector>

namespace kindling {

/// What both have in common (fastai `MixHandler`). For targets that are classes the loss is mixed, any other target is.
/// Draws come from torch's global generator, in fastai's order: the same seed mixes the same items by the same parts.
class MixHandler {
 public:
  static constexpr bool run_valid = false;
  static constexpr bool fit_only = true;
  void after_train(Learner& learn);
  void after_cancel_fit(Learner& learn) { after_train(learn); }

 protected:
  explicit MixHandler(double alpha);
  /// n draws of Beta(alpha, alpha).
  torch::Tensor beta(std::int64_t n) const;
  /// The batch's targets, and those of the items that were mixed in, with weight `lam` (N, or one number).
  void mix_targets(Learner& learn, const torch::Tensor& shuffle, const torch::Tensor& lam);

 private:
  double alpha_;
  LossFunction own_;
  bool mixes_loss_ = false;
};

/// x = lam x + (1 - lam) x', lam ~ Beta(alpha, alpha) an item, the larger of lam and 1 - lam (Zhang et al. 2018; fastai
/// `MixUp`).
class MixUp : public MixHandler {
 public:
  explicit MixUp(double alpha = 0.4) : MixHandler(alpha) {}
  void before_batch(Learner& learn);
};

/// Pastes a rectangle of another picture, of area 1 - lam (Yun et al. 2019; fastai `CutMix`). x: N x C x H x W.
class CutMix : public MixHandler {
 public:
  explicit CutMix(double alpha = 1) : MixHandler(alpha) {}
  void before_batch(Learner& learn);
};

}  // namespace kindling
