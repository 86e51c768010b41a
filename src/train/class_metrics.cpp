#include <kindling/core/error.hpp>
#include <kindling/train/metrics.hpp>

#include "train/confusion.hpp"
#include "train/doubles.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace kindling {

using detail::Confusion;
using torch::Tensor;

namespace {

using detail::nan;
using detail::doubles;

/// What single-label metrics count: bounded by the square of the number of classes.
struct ClassMetric {
  std::string name;
  int axis;
  std::function<double(const Confusion&)> score;
  /// Throws where the outputs cannot be scored, before a count is made.
  std::function<void(std::int64_t classes)> check = {};
  Confusion counts = {};

  void reset() { counts = {}; }
  void accumulate(const Tensor& pred, const Tensor& targ) {
    if (check) check(pred.size(axis));
    counts.add(pred.argmax(axis), targ);
  }
  double value() const { return counts.total() == 0 ? nan : score(counts); }
};

void demand_two_classes(const std::string& metric, std::int64_t classes, const char* hint) {
  if (classes <= 2) return;
  throw Error(ErrorCode::usage, metric + " is that of two classes here", {{"classes", classes}}, hint);
}

/// What one class (or label) has.
struct Counts {
  double both = 0;  ///< predicted and right
  double pred = 0;
  double targ = 0;
};
using Score = std::function<double(const Counts&)>;

double ratio(double part, double whole) {
  return whole == 0 ? 0 : part / whole;
}

double precision(const Counts& c) {
  return ratio(c.both, c.pred);
}
double recall(const Counts& c) {
  return ratio(c.both, c.targ);
}
Score f_score(double beta) {
  if (std::isinf(beta)) return recall;
  const double b = beta * beta;
  return [b](const Counts& c) { return ratio((1 + b) * c.both, b * c.targ + c.pred); };
}
double jaccard(const Counts& c) {
  return ratio(c.both, c.pred + c.targ - c.both);
}

/// One number from those of the classes. Without any target `weighted` is the plain mean, as in scikit-learn.
double averaged(const std::vector<Counts>& classes, const Score& score, Average average) {
  if (average == Average::micro) {
    Counts all;
    for (const Counts& c : classes) all = {all.both + c.both, all.pred + c.pred, all.targ + c.targ};
    return score(all);
  }
  double sum = 0, weights = 0, plain = 0;
  for (const Counts& c : classes) {
    sum += c.targ * score(c);
    weights += c.targ;
    plain += score(c);
  }
  if (average == Average::weighted && weights > 0) return sum / weights;
  return classes.empty() ? nan : plain / static_cast<double>(classes.size());
}

Metric class_metric(const char* name, Score score, const ClassOptions& o) {
  if (o.average == Average::samples) {
    throw Error(ErrorCode::usage, "the average over samples is for several labels an item", {{"metric", name}},
                "use the metric whose name ends in Multi");
  }
  ClassMetric metric{.name = name, .axis = o.axis, .score = [score, o](const Confusion& counts) {
                       std::vector<std::int64_t> labels = o.labels.empty() ? counts.labels() : o.labels;
                       if (o.average == Average::binary) labels = {o.pos_label};
                       std::vector<Counts> classes;
                       for (std::int64_t l : labels)
                         classes.push_back({counts.count(l, l), counts.predicted(l), counts.targets(l)});
                       return averaged(classes, score, o.average);
                     }};
  if (o.average == Average::binary) {
    metric.check = [name](std::int64_t classes) {
      demand_two_classes(name, classes, "for more classes choose .average = Average::macro, micro or weighted");
    };
  }
  return metric;
}

/// What metrics of several labels count: three numbers a label, and a sum over the items.
struct LabelMetric {
  std::string name;
  MultiOptions options;
  Score score;
  std::vector<Counts> labels = {};
  double over_items = 0;
  std::int64_t items = 0;

  void reset() {
    labels.clear();
    over_items = 0;
    items = 0;
  }
  void accumulate(const Tensor& pred, const Tensor& targ) {
    const auto [p, t] = detail::decisions(pred, targ, options.thresh, options.sigmoid, options.labels);
    labels.resize(p.size(1));
    const Tensor both = p.logical_and(t);
    const auto sums = [](const Tensor& x, int dim) { return x.sum(dim, false, torch::kInt64).cpu(); };
    const Tensor b = sums(both, 0), of_pred = sums(p, 0), of_targ = sums(t, 0);
    for (std::size_t l = 0; l < labels.size(); ++l) {
      const auto at = static_cast<std::int64_t>(l);
      labels[l].both += b[at].item<double>();
      labels[l].pred += of_pred[at].item<double>();
      labels[l].targ += of_targ[at].item<double>();
    }
    items += p.size(0);
    if (options.average != Average::samples) return;
    const Tensor rows = torch::stack({sums(both, 1), sums(p, 1), sums(t, 1)}, 1).contiguous();
    const auto* counts = rows.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < p.size(0); ++i, counts += 3) {
      over_items += score({static_cast<double>(counts[0]), static_cast<double>(counts[1]),
                           static_cast<double>(counts[2])});
    }
  }
  double value() const {
    if (items == 0) return nan;
    if (options.average == Average::samples) return over_items / static_cast<double>(items);
    return averaged(labels, score, options.average);
  }
};

Metric label_metric(const char* name, Score score, const MultiOptions& o) {
  if (o.average == Average::binary) {
    throw Error(ErrorCode::usage, "the binary average is for one class an item", {{"metric", name}},
                "choose macro, micro, weighted or samples");
  }
  return LabelMetric{.name = name, .options = o, .score = std::move(score)};
}

/// Of all labels together, as a question with two answers.
struct AllLabels {
  std::string name;
  ThreshOptions options;
  std::function<double(const Confusion&)> score;
  Confusion counts = {};
  void reset() { counts = {}; }
  void accumulate(const Tensor& pred, const Tensor& targ) {
    const auto [p, t] = detail::decisions(pred, targ, options.thresh, options.sigmoid, {});
    counts.add(p, t);
  }
  double value() const { return counts.total() == 0 ? nan : score(counts); }
};

double hamming(const Confusion& c) {
  double right = 0;
  for (std::int64_t l : c.labels()) right += c.count(l, l);
  return 1 - right / c.total();
}

double matthews(const Confusion& c) {
  double right = 0, expected = 0, of_pred = 0, of_targ = 0;
  const double n = c.total();
  for (std::int64_t l : c.labels()) {
    const double p = c.predicted(l), t = c.targets(l);
    right += c.count(l, l);
    expected += p * t;
    of_pred += p * p;
    of_targ += t * t;
  }
  const double spread = (n * n - of_pred) * (n * n - of_targ);
  return spread == 0 ? 0 : (right * n - expected) / std::sqrt(spread);
}

double balanced_accuracy(const Confusion& c, bool adjusted) {
  double sum = 0, classes = 0;
  for (std::int64_t l : c.labels()) {
    if (c.targets(l) == 0) continue;  // predicted, and never right
    sum += c.count(l, l) / c.targets(l);
    ++classes;
  }
  const double score = sum / classes;
  return adjusted ? (score - 1 / classes) / (1 - 1 / classes) : score;
}

double cohen_kappa(const Confusion& c, const CohenKappaOptions& o) {
  using Weights = CohenKappaOptions::Weights;
  const auto labels = o.labels.empty() ? c.labels() : o.labels;
  const auto n = labels.size();
  std::vector<double> targets(n), predicted(n);
  double total = 0, observed = 0, expected = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      const double count = c.count(labels[i], labels[j]);
      targets[i] += count;
      predicted[j] += count;
      total += count;
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      const double distance = std::abs(static_cast<double>(i) - static_cast<double>(j));
      const double weight = o.weights == Weights::none     ? (i == j ? 0 : 1)
                            : o.weights == Weights::linear ? distance
                                                           : distance * distance;
      observed += weight * c.count(labels[i], labels[j]);
      expected += weight * targets[i] * predicted[j] / total;
    }
  }
  return 1 - observed / expected;
}

/// Mean of (target - probability)².
struct BrierMulti {
  std::string name = "brier_score_loss";
  bool sigmoid = true;
  double sum = 0;
  std::int64_t n = 0;
  void reset() { sum = 0, n = 0; }
  void accumulate(const Tensor& pred, const Tensor& targ) {
    const Tensor probs = (sigmoid ? pred.sigmoid() : pred).to(torch::kFloat64);
    sum += (probs - targ.to(torch::kFloat64)).square().sum().item<double>();
    n += pred.numel();
  }
  double value() const { return n ? sum / static_cast<double>(n) : nan; }
};

}  // namespace

Metric F1Score(const ClassOptions& o) {
  return class_metric("f1_score", f_score(1), o);
}
Metric FBeta(double beta, const ClassOptions& o) {
  return class_metric("fbeta_score", f_score(beta), o);
}
Metric Precision(const ClassOptions& o) {
  return class_metric("precision_score", precision, o);
}
Metric Recall(const ClassOptions& o) {
  return class_metric("recall_score", recall, o);
}
Metric Jaccard(const ClassOptions& o) {
  return class_metric("jaccard_score", jaccard, o);
}

Metric F1ScoreMulti(const MultiOptions& o) {
  return label_metric("f1_score", f_score(1), o);
}
Metric FBetaMulti(double beta, const MultiOptions& o) {
  return label_metric("fbeta_score", f_score(beta), o);
}
Metric PrecisionMulti(const MultiOptions& o) {
  return label_metric("precision_score", precision, o);
}
Metric RecallMulti(const MultiOptions& o) {
  return label_metric("recall_score", recall, o);
}
Metric JaccardMulti(const MultiOptions& o) {
  return label_metric("jaccard_score", jaccard, o);
}

Metric BalancedAccuracy(const BalancedAccuracyOptions& o) {
  return ClassMetric{.name = "balanced_accuracy_score", .axis = o.axis, .score = [o](const Confusion& c) {
                       return balanced_accuracy(c, o.adjusted);
                     }};
}

Metric CohenKappa(const CohenKappaOptions& o) {
  return ClassMetric{.name = "cohen_kappa_score", .axis = o.axis, .score = [o](const Confusion& c) {
                       return cohen_kappa(c, o);
                     }};
}

Metric MatthewsCorrCoef(int axis) {
  return ClassMetric{.name = "matthews_corrcoef", .axis = axis, .score = matthews};
}

Metric HammingLoss(int axis) {
  return ClassMetric{.name = "hamming_loss", .axis = axis, .score = hamming};
}

Metric BrierScore(int axis) {
  // Of decisions between 0 and 1 the square of the difference is whether they are wrong.
  return ClassMetric{.name = "brier_score_loss", .axis = axis, .score = hamming, .check = [](std::int64_t n) {
                       demand_two_classes("brier_score_loss", n, "use a metric of more classes, e.g. accuracy");
                     }};
}

Metric HammingLossMulti(const ThreshOptions& o) {
  return AllLabels{.name = "hamming_loss", .options = o, .score = hamming};
}

Metric MatthewsCorrCoefMulti(const ThreshOptions& o) {
  return AllLabels{.name = "matthews_corrcoef", .options = o, .score = matthews};
}

Metric BrierScoreMulti(bool sigmoid) {
  return BrierMulti{.sigmoid = sigmoid};
}

}  // namespace kindling
