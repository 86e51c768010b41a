#include <kindling/core/error.hpp>
#include <kindling/train/metrics.hpp>

#include "train/loss_parts.hpp"
#include "train/doubles.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace kindling {

using torch::Tensor;

namespace {

using detail::nan;
using detail::doubles;

/// Keeps what a batch gave until the end, on the CPU.
struct Accumulated {
  std::string name;
  std::function<double(const Tensor& preds, const Tensor& targs)> function;
  AccumOptions options;
  std::vector<Tensor> preds = {}, targs = {};

  void reset() {
    preds.clear();
    targs.clear();
  }
  void accumulate(const Tensor& pred, const Tensor& targ) {
    Tensor p = activated(pred.detach());
    if (options.thresh) p = p >= *options.thresh;
    Tensor t = targ.detach();
    if (options.flatten) {
      if (p.numel() != t.numel()) throw detail::shapes_differ(pred, targ);
      p = p.reshape({-1});
      t = t.reshape({-1});
    }
    preds.push_back(p.cpu());
    targs.push_back(t.cpu());
  }
  double value() const { return preds.empty() ? nan : function(torch::cat(preds), torch::cat(targs)); }

 private:
  Tensor activated(const Tensor& pred) const {
    switch (options.activation) {
      case Activation::sigmoid:
        return pred.sigmoid();
      case Activation::softmax:
        return pred.softmax(options.axis);
      case Activation::binary_softmax:
        return pred.softmax(options.axis).select(1, -1);
      case Activation::none:
        break;
    }
    return options.argmax ? pred.argmax(options.axis) : pred;
  }
};

bool has_nan(const std::vector<double>& values) {
  return std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); });
}

/// Scores with whether each is of the class in question.
struct Scored {
  std::vector<double> scores;
  std::vector<char> positive;
};

Scored scored(const Tensor& scores, const Tensor& positive) {
  Scored s{doubles(scores.reshape({-1})), {}};
  for (double p : doubles(positive.reshape({-1}))) s.positive.push_back(p != 0);
  return s;
}

/// Positives and negatives at or above each distinct score, from the highest on.
struct Thresholds {
  std::vector<double> positives, negatives;
};

Thresholds thresholds(const Scored& s) {
  std::vector<std::size_t> order(s.scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return s.scores[a] > s.scores[b]; });
  Thresholds t;
  double positives = 0, negatives = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    (s.positive[order[i]] ? positives : negatives) += 1;
    if (i + 1 < order.size() && s.scores[order[i + 1]] == s.scores[order[i]]) continue;
    t.positives.push_back(positives);
    t.negatives.push_back(negatives);
  }
  return t;
}

/// Area under the ROC curve, or under its part up to `max_fpr` standardised to 0.5 … 1.
double roc_auc(const Scored& s, std::optional<double> max_fpr) {
  if (has_nan(s.scores)) return nan;
  const Thresholds t = thresholds(s);
  if (t.positives.empty() || t.positives.back() == 0 || t.negatives.back() == 0) return nan;
  const double limit = max_fpr.value_or(1);
  double area = 0, fpr = 0, tpr = 0;
  for (std::size_t i = 0; i < t.positives.size(); ++i) {
    const double x = t.negatives[i] / t.negatives.back(), y = t.positives[i] / t.positives.back();
    if (x > limit) {
      const double cut = tpr + (y - tpr) * (limit - fpr) / (x - fpr);
      area += (limit - fpr) * (tpr + cut) / 2;
      break;
    }
    area += (x - fpr) * (tpr + y) / 2;
    fpr = x;
    tpr = y;
  }
  if (limit == 1) return area;
  const double least = limit * limit / 2;
  return (1 + (area - least) / (limit - least)) / 2;
}

double average_precision(const Scored& s) {
  if (has_nan(s.scores)) return nan;
  const Thresholds t = thresholds(s);
  if (t.positives.empty() || t.positives.back() == 0) return 0;
  double sum = 0, before = 0;
  for (std::size_t i = 0; i < t.positives.size(); ++i) {
    sum += (t.positives[i] - before) / t.positives.back() * t.positives[i] / (t.positives[i] + t.negatives[i]);
    before = t.positives[i];
  }
  return sum;
}

using BinaryScore = std::function<double(const Scored&)>;

/// Over columns (or rows, for `samples`) of scores and 0 / 1 targets, as scikit-learn averages them.
double over_labels(const Tensor& scores, const Tensor& targets, Average average, const BinaryScore& score) {
  if (average == Average::micro) return score(scored(scores, targets));
  const int dim = average == Average::samples ? 0 : 1;
  double sum = 0, weights = 0;
  for (std::int64_t i = 0; i < scores.size(dim); ++i) {
    const Tensor targs = targets.select(dim, i);
    const double weight = average == Average::weighted ? targs.sum().item<double>() : 1;
    // A label that never is there has no weight, and its score of NaN must not count either.
    if (weight > 0) sum += weight * score(scored(scores.select(dim, i), targs));
    weights += weight;
  }
  return weights == 0 ? 0 : sum / weights;
}

/// Each pair of classes, each of the two in turn as the positive one (Hand, Till 2001).
double one_against_one(const Tensor& scores, const Tensor& targets, bool weighted) {
  double sum = 0, weights = 0;
  for (std::int64_t a = 0; a < scores.size(1); ++a) {
    for (std::int64_t b = a + 1; b < scores.size(1); ++b) {
      const Tensor of_a = targets == a, both = of_a.logical_or(targets == b);
      const Tensor rows = scores.index({both}), is_a = of_a.index({both});
      const double pair = (roc_auc(scored(rows.select(1, a), is_a), {}) +
                           roc_auc(scored(rows.select(1, b), is_a.logical_not()), {})) /
                          2;
      const double weight = weighted ? both.to(torch::kFloat64).mean().item<double>() : 1;
      sum += weight * pair;
      weights += weight;
    }
  }
  return sum / weights;
}

double multi_class_roc_auc(const Tensor& probs, const Tensor& targets, const RocAucOptions& o) {
  if (probs.dim() != 2 || targets.dim() != 1) throw detail::shapes_differ(probs, targets);
  const auto classes = probs.size(1);
  if (classes == 2) return roc_auc(scored(probs.select(1, 1), targets == 1), {});
  if (o.multi_class == RocAucOptions::MultiClass::ovo)
    return one_against_one(probs, targets, o.average == Average::weighted);
  const Tensor one_hot = targets.unsqueeze(1) == torch::arange(classes, torch::kInt64);
  return over_labels(probs, one_hot, o.average, [](const Scored& s) { return roc_auc(s, {}); });
}

void check_max_fpr(std::optional<double> max_fpr) {
  if (!max_fpr || (*max_fpr > 0 && *max_fpr <= 1)) return;
  throw Error(ErrorCode::usage, "max_fpr must be above 0 and at most 1", {{"max_fpr", std::to_string(*max_fpr)}});
}

Metric label_scores(const char* name, const ScoreMultiOptions& o, const BinaryScore& score) {
  if (o.average == Average::binary) {
    throw Error(ErrorCode::usage, "the binary average is for one class an item", {{"metric", name}},
                "choose macro, micro, weighted or samples");
  }
  return AccumMetric(
      name,
      [average = o.average, score](const Tensor& preds, const Tensor& targs) {
        if (preds.sizes() != targs.sizes() || preds.dim() != 2) throw detail::shapes_differ(preds, targs);
        return over_labels(preds, targs, average, score);
      },
      {.activation = o.sigmoid ? Activation::sigmoid : Activation::none, .flatten = false});
}

/// Places in order of size, equal values all having their mean place.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> rank(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i + 1;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (std::size_t j = i; j < end; ++j) rank[order[j]] = static_cast<double>(i + end - 1) / 2;
    i = end;
  }
  return rank;
}

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
  const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  return xy / std::sqrt(xx * yy);
}

}  // namespace

Metric AccumMetric(std::string name, std::function<double(const Tensor&, const Tensor&)> function,
                   const AccumOptions& options) {
  return Accumulated{.name = std::move(name), .function = std::move(function), .options = options};
}

Metric RocAuc(const RocAucOptions& o) {
  if (o.average == Average::binary || o.average == Average::samples ||
      (o.average == Average::micro && o.multi_class == RocAucOptions::MultiClass::ovo)) {
    throw Error(ErrorCode::usage, "RocAuc cannot average that way", {},
                "choose Average::macro or weighted, or for one against the rest micro");
  }
  return AccumMetric(
      "roc_auc_score",
      [o](const Tensor& preds, const Tensor& targs) { return multi_class_roc_auc(preds, targs, o); },
      {.activation = Activation::softmax, .axis = o.axis, .flatten = false});
}

Metric RocAucBinary(const RocAucBinaryOptions& o) {
  check_max_fpr(o.max_fpr);
  return AccumMetric(
      "roc_auc_score",
      [o](const Tensor& preds, const Tensor& targs) { return roc_auc(scored(preds, targs), o.max_fpr); },
      {.activation = Activation::binary_softmax, .axis = o.axis});
}

Metric APScoreBinary(int axis) {
  return AccumMetric(
      "average_precision_score",
      [](const Tensor& preds, const Tensor& targs) { return average_precision(scored(preds, targs)); },
      {.activation = Activation::binary_softmax, .axis = axis});
}

Metric RocAucMulti(const ScoreMultiOptions& o) {
  check_max_fpr(o.max_fpr);
  return label_scores("roc_auc_score", o,
                      [max_fpr = o.max_fpr](const Scored& s) { return roc_auc(s, max_fpr); });
}

Metric APScoreMulti(const ScoreMultiOptions& o) {
  return label_scores("average_precision_score", o, average_precision);
}

Metric SpearmanCorrCoef() {
  return AccumMetric("spearmanr", [](const Tensor& preds, const Tensor& targs) {
    const auto x = doubles(preds), y = doubles(targs);
    return has_nan(x) || has_nan(y) ? nan : correlation(ranks(x), ranks(y));
  });
}

}  // namespace kindling
