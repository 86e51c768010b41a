#pragma once
/// What the table shows beside the losses: fastai's metrics under fastai's names, computed here.
///
///   vision_learner(dls, "resnet34", {.metrics = {error_rate, F1Score({.average = Average::macro}), RocAuc()}});
///
/// Shapes: N items (or N x places, for masks) with C classes along `axis`; targets hold classes as integers. Those of
/// several labels an item take N x L outputs and N x L targets of 0 and 1. What needs only counts or sums keeps only
/// those; `RocAuc`, `APScore`, `SpearmanCorrCoef` and `AccumMetric` keep all predictions of a validation, on the CPU.
/// Weights of single items (scikit-learn's `sample_weight`) are not taken.

#include <kindling/train/losses.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

namespace kindling {

/// Handle of a metric. A plain function of prediction and target (or of a prediction and a vector of targets) that
/// gives a scalar is averaged over the batches, weighted by their sizes; `{"my_name", function}` names its column. A
/// type with `reset()`, `accumulate(pred, targ)` (or of a vector of targets), `value()` and `name` keeps its own count.
class Metric {
 public:
  using Targets = LossFunction::Targets;
  using Fn = std::function<torch::Tensor(const torch::Tensor& pred, const Targets& targs)>;

  template <class F>
    requires(std::is_invocable_r_v<torch::Tensor, F, const torch::Tensor&, const torch::Tensor&> ||
             std::is_invocable_r_v<torch::Tensor, F, const torch::Tensor&, const Targets&>)
  Metric(std::string name, F f) : self_(averaged(std::move(name), over_targets(std::move(f)))) {}
  template <class F>
    requires std::is_invocable_r_v<torch::Tensor, F, const torch::Tensor&, const torch::Tensor&>
  Metric(F f) : Metric("metric", std::move(f)) {}
  template <class T>
    requires(
        requires(T t, const torch::Tensor& x) { t.accumulate(x, x); } ||
        requires(T t, const torch::Tensor& x, const Targets& y) { t.accumulate(x, y); }) &&
            requires(T t) {
              t.reset();
              { t.value() } -> std::convertible_to<double>;
              { t.name } -> std::convertible_to<std::string>;
            }
  Metric(T t) : self_(std::make_shared<Holder<T>>(std::move(t))) {}

  const std::string& name() const { return self_->name; }
  void reset() const { self_->reset(); }
  void accumulate(const torch::Tensor& pred, const torch::Tensor& targ) const {
    self_->accumulate(pred, {targ});
  }
  void accumulate(const torch::Tensor& pred, const Targets& targs) const { self_->accumulate(pred, targs); }
  /// NaN before anything was accumulated, and where the metric is not defined for what was.
  double value() const { return self_->value(); }
  /// On one batch, without touching the count: `error_rate(pred, targ)`.
  double operator()(const torch::Tensor& pred, const torch::Tensor& targ) const;
  /// A metric of the same kind with a count of its own, which is empty.
  Metric fresh() const;

 private:
  struct Concept {
    std::string name;
    virtual ~Concept() = default;
    virtual void reset() = 0;
    virtual void accumulate(const torch::Tensor& pred, const Targets& targs) = 0;
    virtual double value() const = 0;
    virtual std::shared_ptr<Concept> clone() const = 0;
  };
  template <class T>
  struct Holder final : Concept {
    explicit Holder(T t) : held(std::move(t)) { this->name = held.name; }
    void reset() override { held.reset(); }
    void accumulate(const torch::Tensor& pred, const Targets& targs) override {
      if constexpr (requires { held.accumulate(pred, targs); })
        held.accumulate(pred, targs);
      else
        held.accumulate(pred, LossFunction::only(targs));
    }
    double value() const override { return held.value(); }
    std::shared_ptr<Concept> clone() const override { return std::make_shared<Holder>(held); }
    T held;
  };
  struct Average;
  template <class F>
  static Fn over_targets(F f) {
    using T = const torch::Tensor&;
    if constexpr (std::is_invocable_r_v<torch::Tensor, F, T, const Targets&>)
      return f;
    else
      return [f = std::move(f)](T pred, const Targets& targs) mutable {
        return f(pred, LossFunction::only(targs));
      };
  }
  static std::shared_ptr<Concept> averaged(std::string name, Fn fn);
  explicit Metric(std::shared_ptr<Concept> self) : self_(std::move(self)) {}
  std::shared_ptr<Concept> self_;
};

// ---- one class an item

/// Part of the items whose largest output is at the target: N x C and N.
extern const Metric accuracy;
/// 1 - accuracy.
extern const Metric error_rate;
/// The same with the classes along another axis, 1 for masks.
Metric accuracy_along(int axis);
Metric error_rate_along(int axis);
/// Part of the items whose target is among the k largest outputs.
Metric top_k_accuracy(int k = 5);
/// exp of the mean loss, by default cross-entropy (fastai `Perplexity`).
Metric Perplexity(LossFunction loss = CrossEntropyLossFlat());

/// How scores of single classes (or labels) become one, as in scikit-learn.
enum class Average {
  binary,    ///< that of `pos_label` alone; throws `usage` for more than two classes
  micro,     ///< of all counts together
  macro,     ///< mean over the classes
  weighted,  ///< the same, weighted by how often each is the target
  samples,   ///< mean over the items; for several labels an item only
};

struct ClassOptions {
  int axis = -1;
  Average average = Average::binary;
  std::vector<std::int64_t> labels = {};  ///< classes to average over; empty: all that occur
  std::int64_t pos_label = 1;
};
/// 2 tp / (2 tp + fp + fn) (scikit-learn `f1_score`); 0 where that is 0 / 0.
Metric F1Score(const ClassOptions& options = {});
/// (1 + beta²) tp / ((1 + beta²) tp + beta² fn + fp) (`fbeta_score`).
Metric FBeta(double beta, const ClassOptions& options = {});
/// tp / (tp + fp) (`precision_score`).
Metric Precision(const ClassOptions& options = {});
/// tp / (tp + fn) (`recall_score`).
Metric Recall(const ClassOptions& options = {});
/// tp / (tp + fp + fn) (`jaccard_score`).
Metric Jaccard(const ClassOptions& options = {});

struct BalancedAccuracyOptions {
  int axis = -1;
  bool adjusted = false;  ///< 0 for guessing, 1 for perfect
};
/// Mean over the classes of the part found (`balanced_accuracy_score`).
Metric BalancedAccuracy(const BalancedAccuracyOptions& options = {});

struct CohenKappaOptions {
  enum class Weights { none, linear, quadratic };
  int axis = -1;
  std::vector<std::int64_t> labels = {};
  Weights weights = Weights::none;  ///< how much worse a distant class is than a near one
};
/// Agreement beyond chance (`cohen_kappa_score`).
Metric CohenKappa(const CohenKappaOptions& options = {});
/// Correlation of predicted and true classes (`matthews_corrcoef`).
Metric MatthewsCorrCoef(int axis = -1);
/// Part of the items with a wrong class (`hamming_loss`).
Metric HammingLoss(int axis = -1);
/// Mean of (prediction - target)² of two classes, the prediction being 0 or 1, as in fastai
/// (`brier_score_loss`). Throws `usage` for more classes.
Metric BrierScore(int axis = -1);

struct RocAucOptions {
  enum class MultiClass { ovr, ovo };  ///< each class against the rest, or against each other
  int axis = -1;
  Average average = Average::macro;      ///< micro (ovr alone), macro or weighted
  MultiClass multi_class = MultiClass::ovr;
};
/// Area under the ROC curve of the softmax (`roc_auc_score`). NaN where a class never is the target. Of two
/// classes it is `RocAucBinary` (fastai's cannot).
Metric RocAuc(const RocAucOptions& options = {});

struct RocAucBinaryOptions {
  int axis = -1;
  std::optional<double> max_fpr = std::nullopt;  ///< the area up to it, standardised (McClish)
};
/// Of the last class's probability, targets 0 and 1.
Metric RocAucBinary(const RocAucBinaryOptions& options = {});
/// Sum over thresholds of (R_n - R_n-1) P_n, of the last class's probability (`average_precision_score`).
Metric APScoreBinary(int axis = -1);

// ---- several labels an item

struct AccuracyMultiOptions {
  double thresh = 0.5;
  bool sigmoid = true;
};
/// Part of all labels on the right side of the threshold, above it meaning present (fastai `accuracy_multi`).
Metric accuracy_multi(const AccuracyMultiOptions& options = {});

struct MultiOptions {
  double thresh = 0.5;  ///< a label at or above it is predicted
  bool sigmoid = true;  ///< outputs are logits
  Average average = Average::macro;
  std::vector<std::int64_t> labels = {};  ///< columns to average over; empty: all
};
Metric F1ScoreMulti(const MultiOptions& options = {});
Metric FBetaMulti(double beta, const MultiOptions& options = {});
Metric PrecisionMulti(const MultiOptions& options = {});
Metric RecallMulti(const MultiOptions& options = {});
Metric JaccardMulti(const MultiOptions& options = {});

struct ThreshOptions {
  double thresh = 0.5;
  bool sigmoid = true;
};
/// Part of all labels that are wrong.
Metric HammingLossMulti(const ThreshOptions& options = {});
/// Over all labels of all items together (scikit-learn takes no such targets, so that fastai's fails).
Metric MatthewsCorrCoefMulti(const ThreshOptions& options = {});
/// Mean over items and labels of (probability - target)² (fastai's fails in scikit-learn).
Metric BrierScoreMulti(bool sigmoid = true);

struct ScoreMultiOptions {
  bool sigmoid = true;
  Average average = Average::macro;  ///< any but binary
  std::optional<double> max_fpr = std::nullopt;  ///< of RocAucMulti
};
/// Mean over the labels of the area under the ROC curve; NaN where a label is always or never there.
Metric RocAucMulti(const ScoreMultiOptions& options = {});
/// Mean over the labels of the average precision.
Metric APScoreMulti(const ScoreMultiOptions& options = {});

// ---- numbers: prediction and target of as many values

/// Mean squared, absolute, squared logarithmic (of 1 + x) error, averaged over batches.
extern const Metric mse;
extern const Metric mae;
extern const Metric msle;
/// Root of the mean squared error over all items; its column is fastai's `_rmse`.
extern const Metric rmse;
/// Root mean square percentage error of the exponentials; its column is `_exp_rmspe`.
extern const Metric exp_rmspe;
/// 1 - SSE / SST over all items (`r2_score`); NaN for fewer than two.
Metric R2Score();
/// 1 - Var(target - prediction) / Var(target) (`explained_variance_score`).
Metric ExplainedVariance();
/// NaN where one side is constant (scipy `pearsonr`, `spearmanr`; ties get their mean rank).
Metric PearsonCorrCoef();
Metric SpearmanCorrCoef();

// ---- masks: N x C x H x W and N x H x W

/// Accuracy over the places whose target is not `bkg_idx`; batches without any are left out.
Metric foreground_acc(std::int64_t bkg_idx = 0, int axis = 1);
/// 2 sum(pred targ) / sum(pred + targ) over class indices: right for two classes (fastai `Dice`).
Metric Dice(int axis = 1);
/// I / (U - I), likewise (fastai `JaccardCoeff`).
Metric JaccardCoeff(int axis = 1);
/// Mean over the classes that occur of each one's Dice coefficient (fastai `DiceMulti`).
Metric DiceMulti(int axis = 1);
/// Mean over the classes that occur of the intersection over union (fastai `JaccardCoeffMulti`).
Metric JaccardCoeffMulti(int axis = 1);

// ---- any function of all predictions

enum class Activation {
  none,
  sigmoid,
  softmax,         ///< along `axis`
  binary_softmax,  ///< the same, the last class alone
};

struct AccumOptions {
  Activation activation = Activation::none;
  bool argmax = false;  ///< without an activation: the class along `axis`
  int axis = -1;
  std::optional<double> thresh = std::nullopt;  ///< then true where at or above it
  bool flatten = true;
};
/// Keeps all predictions and targets of a validation and computes once, at its end; both are on the CPU (fastai
/// `AccumMetric`, and what `skm_to_fastai` makes).
Metric AccumMetric(std::string name,
                   std::function<double(const torch::Tensor& preds, const torch::Tensor& targs)> function,
                   const AccumOptions& options = {});

/// By the name of its column or of its maker: "accuracy", "f1_score", "F1ScoreMulti", "rmse" …, at its
/// defaults. After a colon the average, k or beta: "F1Score:macro", "top_k_accuracy:3", "FBeta:2". Throws
/// `usage` naming the known ones.
Metric metric_from_name(const std::string& name);
/// The names of all makers.
std::vector<std::string> metric_names();

}  // namespace kindling
