#include <kindling/train/metrics.hpp>

#include "train/loss_parts.hpp"
#include "train/doubles.hpp"

#include <cmath>
#include <functional>
#include <limits>

namespace kindling {

using torch::Tensor;

namespace {

using detail::nan;
using detail::doubles;

/// Means and sums of squared deviations of predictions and targets, in float64 and merged batch by batch (Chan
/// et al. 1979): as good as over all values at once, in bounded memory.
struct Moments {
  double n = 0;
  double mean_pred = 0, mean_targ = 0;
  double pred_pred = 0, targ_targ = 0, pred_targ = 0;  // sums of products of deviations
  double error_square = 0;                             // sum of (target - prediction)²
  double relative_square = 0;                          // sum of ((e^target - e^prediction) / e^target)²

  void add(const Tensor& pred, const Tensor& targ) {
    const double count = static_cast<double>(pred.numel());
    if (count == 0) return;
    const Tensor means = torch::stack({pred.mean(), targ.mean()});
    const Tensor p = pred - means[0], t = targ - means[1];
    const Tensor error = targ - pred;
    const Tensor sums = torch::stack({means[0], means[1], p.square().sum(), t.square().sum(), (p * t).sum(),
                                      error.square().sum(), (1 - (-error).exp()).square().sum()})
                            .cpu();
    const auto* s = sums.const_data_ptr<double>();
    const double dp = s[0] - mean_pred, dt = s[1] - mean_targ, all = n + count;
    pred_pred += s[2] + dp * dp * n * count / all;
    targ_targ += s[3] + dt * dt * n * count / all;
    pred_targ += s[4] + dp * dt * n * count / all;
    mean_pred += dp * count / all;
    mean_targ += dt * count / all;
    error_square += s[5];
    relative_square += s[6];
    n = all;
  }
};

struct NumberMetric {
  std::string name;
  std::function<double(const Moments&)> score;
  Moments moments = {};
  void reset() { moments = {}; }
  void accumulate(const Tensor& pred, const Tensor& targ) {
    if (pred.numel() != targ.numel()) throw detail::shapes_differ(pred, targ);
    const auto flat = [](const Tensor& x) {
      const Tensor values = x.detach().reshape({-1});
      return (values.is_mps() ? values.cpu() : values).to(torch::kFloat64);
    };
    moments.add(flat(pred), flat(targ));
  }
  double value() const { return moments.n == 0 ? nan : score(moments); }
};

/// 1 - part / whole; of targets that are all alike 1 where nothing is wrong, else 0, as in scikit-learn.
double explained(double part, double whole) {
  if (whole == 0) return part == 0 ? 1 : 0;
  return 1 - part / whole;
}

/// Sum of squared deviations of target - prediction.
double error_spread(const Moments& m) {
  return m.pred_pred + m.targ_targ - 2 * m.pred_targ;
}

}  // namespace

const Metric rmse = NumberMetric{"_rmse", [](const Moments& m) { return std::sqrt(m.error_square / m.n); }};
const Metric exp_rmspe =
    NumberMetric{"_exp_rmspe", [](const Moments& m) { return std::sqrt(m.relative_square / m.n); }};

Metric R2Score() {
  return NumberMetric{"r2_score",
                      [](const Moments& m) { return m.n < 2 ? nan : explained(m.error_square, m.targ_targ); }};
}

Metric ExplainedVariance() {
  return NumberMetric{"explained_variance_score",
                      [](const Moments& m) { return explained(error_spread(m), m.targ_targ); }};
}

Metric PearsonCorrCoef() {
  return NumberMetric{"pearsonr",
                      [](const Moments& m) { return m.pred_targ / std::sqrt(m.pred_pred * m.targ_targ); }};
}

}  // namespace kindling
