#include <kindling/train/metrics.hpp>

#include "train/loss_parts.hpp"
#include "train/doubles.hpp"

#include <limits>

namespace kindling {

using torch::Tensor;

namespace {

using detail::nan;
using detail::doubles;

/// Predicted classes and targets, a value a place, int64.
std::pair<Tensor, Tensor> places(const Tensor& pred, const Tensor& targ, int axis) {
  const Tensor best = pred.argmax(axis);
  if (best.numel() != targ.numel()) throw detail::shapes_differ(pred, targ);
  return {best.reshape({-1}), targ.reshape({-1}).to(torch::kInt64)};
}

double dice_of(double common, double sum) {
  return sum > 0 ? 2 * common / sum : nan;
}
double jaccard_of(double common, double sum) {
  return sum > 0 ? common / (sum - common) : nan;
}

struct BinaryMask {
  std::string name;
  int axis;
  double (*coefficient)(double, double);
  double common = 0, sum = 0;
  void reset() { common = sum = 0; }
  void accumulate(const Tensor& pred, const Tensor& targ) {
    const auto [p, t] = places(pred, targ, axis);
    common += (p * t).sum().item<double>();
    sum += (p + t).sum().item<double>();
  }
  double value() const { return coefficient(common, sum); }
};

struct ManyMasks {
  std::string name;
  int axis;
  double (*coefficient)(double, double);
  Tensor common = {}, sum = {};  // C, float64, on the CPU
  void reset() { common = sum = Tensor(); }
  void accumulate(const Tensor& pred, const Tensor& targ) {
    const auto [p, t] = places(pred, targ, axis);
    const auto classes = pred.size(axis);
    // Targets outside the classes (a mark for what does not count) are in no class.
    const auto count = [classes](const Tensor& x) {
      return x.index({(x >= 0).logical_and(x < classes)}).bincount({}, classes).to(torch::kCPU, torch::kFloat64);
    };
    const Tensor c = count(p.index({p == t})), s = count(p) + count(t);
    common = common.defined() ? common + c : c;
    sum = sum.defined() ? sum + s : s;
  }
  double value() const {
    double total = 0, classes = 0;
    for (std::int64_t c = 0; sum.defined() && c < sum.size(0); ++c) {
      if (sum[c].item<double>() == 0) continue;
      total += coefficient(common[c].item<double>(), sum[c].item<double>());
      ++classes;
    }
    return classes ? total / classes : nan;
  }
};

struct ForegroundAccuracy {
  std::string name = "foreground_acc";
  std::int64_t background;
  int axis;
  double total = 0;
  std::int64_t count = 0;
  void reset() { total = 0, count = 0; }
  void accumulate(const Tensor& pred, const Tensor& targ) {
    const auto [p, t] = places(pred, targ, axis);
    const Tensor front = t != background;
    const double n = front.sum().item<double>();
    if (n == 0) return;
    const std::int64_t items = targ.size(0);
    total += (p == t).logical_and(front).sum().item<double>() / n * static_cast<double>(items);
    count += items;
  }
  double value() const { return count ? total / static_cast<double>(count) : nan; }
};

}  // namespace

Metric foreground_acc(std::int64_t bkg_idx, int axis) {
  return ForegroundAccuracy{.background = bkg_idx, .axis = axis};
}
Metric Dice(int axis) {
  return BinaryMask{"dice", axis, dice_of};
}
Metric JaccardCoeff(int axis) {
  return BinaryMask{"jaccard_coeff", axis, jaccard_of};
}
Metric DiceMulti(int axis) {
  return ManyMasks{"dice_multi", axis, dice_of};
}
Metric JaccardCoeffMulti(int axis) {
  return ManyMasks{"jaccard_coeff_multi", axis, jaccard_of};
}

}  // namespace kindling
