#include <kindling/core/error.hpp>
#include <kindling/train/callback_mix.hpp>
#include <kindling/train/learner.hpp>

#include <algorithm>

#include <torch/types.h>
#include <torch/utils.h>

namespace kindling {

namespace {

/// A weight an item, to multiply a tensor of `dims` axes with.
torch::Tensor spread(const torch::Tensor& lam, std::int64_t dims) {
  if (lam.dim() == 0) return lam;
  std::vector<std::int64_t> shape(static_cast<std::size_t>(dims), 1);
  shape[0] = lam.size(0);
  return lam.reshape(shape);
}

std::vector<torch::Tensor> part_of(const std::vector<torch::Tensor>& whole, std::int64_t begin, std::int64_t n) {
  std::vector<torch::Tensor> part;
  for (const torch::Tensor& t : whole) part.push_back(t.narrow(0, begin, n));
  return part;
}

/// lam loss(own target) + (1 - lam) loss(other target), item by item, while the learner trains.
LossFunction mixed_loss(const LossFunction& base, std::vector<torch::Tensor> others, const torch::Tensor& lam,
                        const Learner* learn) {
  const auto loss = [base, others = std::move(others), lam, learn](const torch::Tensor& pred,
                                                                   const LossFunction::Targets& targs) {
    if (!learn->training) return base(pred, targs);
    const std::int64_t n = targs.front().size(0);
    const torch::Tensor part = lam.dim() == 0 ? lam : lam.narrow(0, learn->part_begin, n);
    const torch::Tensor other = base.per_item(pred, part_of(others, learn->part_begin, n));
    const torch::Tensor own = base.per_item(pred, targs);
    return torch::lerp(other, own, part.to(own.dtype())).mean();
  };
  return LossFunction(LossFunction::Parts{
      .name = base.name(),
      .loss = loss,
      .per_item = [base](const torch::Tensor& p, const LossFunction::Targets& t) { return base.per_item(p, t); },
      .activation = [base](const torch::Tensor& x) { return base.activation(x); },
      .decodes = [base](const torch::Tensor& x) { return base.decodes(x); },
      .y_int = base.y_int()});
}

torch::Tensor drawn_permutation(const torch::Tensor& like) {
  return torch::randperm(like.size(0), torch::kInt64).to(like.device());
}

}  // namespace

MixHandler::MixHandler(double alpha) : alpha_(alpha) {
  if (!(alpha > 0)) throw Error(ErrorCode::usage, "mixing needs an alpha above 0");
}

torch::Tensor MixHandler::beta(std::int64_t n) const {
  // What torch.distributions.Beta draws.
  return at::_sample_dirichlet(torch::full({n, 2}, alpha_, torch::kFloat32)).select(-1, 0);
}

void MixHandler::mix_targets(Learner& learn, const torch::Tensor& shuffle, const torch::Tensor& lam) {
  if (learn.yb.empty()) return;
  std::vector<torch::Tensor> others;
  for (const torch::Tensor& y : learn.yb) others.push_back(y.index_select(0, shuffle));
  const LossFunction base = mixes_loss_ ? own_ : learn.loss_func;
  if (!base.y_int() && learn.yb.front().is_floating_point()) {
    for (std::size_t i = 0; i < others.size(); ++i) {
      torch::Tensor& y = learn.yb[i];
      y = torch::lerp(others[i], y, spread(lam, y.dim()).to(y.dtype()));
    }
    return;
  }
  // Classes cannot be mixed, their losses can.
  own_ = base;
  mixes_loss_ = true;
  learn.loss_func = mixed_loss(base, std::move(others), lam, &learn);
}

void MixHandler::after_train(Learner& learn) {
  if (!mixes_loss_) return;
  learn.loss_func = own_;
  own_ = {};
  mixes_loss_ = false;
}

void MixUp::before_batch(Learner& learn) {
  const torch::Tensor& x = learn.xb.at(0);
  torch::Tensor lam = beta(x.size(0)).to(x.device());
  lam = torch::max(lam, 1 - lam);
  const torch::Tensor shuffle = drawn_permutation(x);
  for (torch::Tensor& input : learn.xb)
    input = torch::lerp(input.index_select(0, shuffle), input, spread(lam, input.dim()).to(input.dtype()));
  mix_targets(learn, shuffle, lam);
}

void CutMix::before_batch(Learner& learn) {
  torch::Tensor& x = learn.xb.at(0);
  if (x.dim() != 4)
    throw Error(ErrorCode::usage, "CutMix cuts pictures: the input must be N x C x H x W", {{"dimensions", x.dim()}});
  const std::int64_t height = x.size(2), width = x.size(3);
  const auto lam = beta(1);
  const torch::Tensor shuffle = drawn_permutation(x);
  const torch::Tensor part = torch::sqrt(1. - lam);
  const auto cut_w = torch::round(width * part).item<std::int64_t>();
  const auto cut_h = torch::round(height * part).item<std::int64_t>();
  const auto cx = torch::randint(0, width, {1}, torch::kInt64).item<std::int64_t>();
  const auto cy = torch::randint(0, height, {1}, torch::kInt64).item<std::int64_t>();
  const auto left = std::clamp<std::int64_t>(cx - cut_w / 2, 0, width);
  const auto right = std::clamp<std::int64_t>(cx + cut_w / 2, 0, width);
  const auto top = std::clamp<std::int64_t>(cy - cut_h / 2, 0, height);
  const auto bottom = std::clamp<std::int64_t>(cy + cut_h / 2, 0, height);
  const torch::Tensor other = x.index_select(0, shuffle);
  x = x.clone();
  const auto box = [&](const torch::Tensor& t) {
    return t.narrow(2, top, bottom - top).narrow(3, left, right - left);
  };
  box(x).copy_(box(other));
  const double kept =
      1 - static_cast<double>((right - left) * (bottom - top)) / static_cast<double>(width * height);
  mix_targets(learn, shuffle, torch::full({}, kept, torch::TensorOptions(torch::kFloat32).device(x.device())));
}

}  // namespace kindling
