#include <kindling/core/error.hpp>
#include <kindling/train/metrics.hpp>

#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling {

namespace {

/// What follows the colon of "F1Score:macro".
struct Suffix {
  std::string metric;
  std::string text;

  Error wrong(const char* wanted) const {
    return Error(ErrorCode::usage, fmt::format("'{}' cannot follow '{}:'", text, metric), {}, wanted);
  }
  Average average(Average usual) const {
    if (text.empty()) return usual;
    const std::vector<std::pair<std::string, Average>> all = {{"binary", Average::binary},
                                                              {"micro", Average::micro},
                                                              {"macro", Average::macro},
                                                              {"weighted", Average::weighted},
                                                              {"samples", Average::samples}};
    for (const auto& [name, average] : all) {
      if (name == text) return average;
    }
    throw wrong("an average is binary, micro, macro, weighted or samples");
  }
  double number(double usual, const char* wanted) const {
    if (text.empty()) return usual;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 1e6))
      throw wrong(wanted);
    return value;
  }
  const Suffix& none() const {
    if (!text.empty()) throw wrong("this metric takes no more than its name");
    return *this;
  }
};

struct Named {
  std::string maker;   ///< as in C++
  std::string column;  ///< what the table shows
  Metric (*make)(const Suffix&);
};

ClassOptions of_classes(const Suffix& s) {
  return {.average = s.average(Average::binary)};
}
MultiOptions of_labels(const Suffix& s) {
  return {.average = s.average(Average::macro)};
}
ScoreMultiOptions of_scores(const Suffix& s) {
  return {.average = s.average(Average::macro)};
}
constexpr const char* beta_hint = "beta is a number, e.g. FBeta:2";

Metric top_k(const Suffix& s) {
  return top_k_accuracy(static_cast<int>(s.number(5, "k is a number, e.g. top_k_accuracy:3")));
}

/// Those of the same column: the first is found by the column's name.
const std::vector<Named>& all_metrics() {
  using S = const Suffix&;
  static const std::vector<Named> all = {
      {"accuracy", "accuracy", [](S s) { return s.none(), accuracy; }},
      {"error_rate", "error_rate", [](S s) { return s.none(), error_rate; }},
      {"top_k_accuracy", "top_k_accuracy", top_k},
      {"accuracy_multi", "accuracy_multi",
       [](S s) { return accuracy_multi({.thresh = s.number(0.5, "a threshold is a number")}); }},
      {"Perplexity", "perplexity", [](S s) { return s.none(), Perplexity(); }},
      {"F1Score", "f1_score", [](S s) { return F1Score(of_classes(s)); }},
      {"FBeta", "fbeta_score", [](S s) { return FBeta(s.number(1, beta_hint)); }},
      {"Precision", "precision_score", [](S s) { return Precision(of_classes(s)); }},
      {"Recall", "recall_score", [](S s) { return Recall(of_classes(s)); }},
      {"Jaccard", "jaccard_score", [](S s) { return Jaccard(of_classes(s)); }},
      {"BalancedAccuracy", "balanced_accuracy_score", [](S s) { return s.none(), BalancedAccuracy(); }},
      {"CohenKappa", "cohen_kappa_score", [](S s) { return s.none(), CohenKappa(); }},
      {"MatthewsCorrCoef", "matthews_corrcoef", [](S s) { return s.none(), MatthewsCorrCoef(); }},
      {"HammingLoss", "hamming_loss", [](S s) { return s.none(), HammingLoss(); }},
      {"BrierScore", "brier_score_loss", [](S s) { return s.none(), BrierScore(); }},
      {"RocAuc", "roc_auc_score", [](S s) { return RocAuc({.average = s.average(Average::macro)}); }},
      {"RocAucBinary", "roc_auc_score", [](S s) { return s.none(), RocAucBinary(); }},
      {"APScoreBinary", "average_precision_score", [](S s) { return s.none(), APScoreBinary(); }},
      {"F1ScoreMulti", "f1_score", [](S s) { return F1ScoreMulti(of_labels(s)); }},
      {"FBetaMulti", "fbeta_score", [](S s) { return FBetaMulti(s.number(1, beta_hint)); }},
      {"PrecisionMulti", "precision_score", [](S s) { return PrecisionMulti(of_labels(s)); }},
      {"RecallMulti", "recall_score", [](S s) { return RecallMulti(of_labels(s)); }},
      {"JaccardMulti", "jaccard_score", [](S s) { return JaccardMulti(of_labels(s)); }},
      {"HammingLossMulti", "hamming_loss", [](S s) { return s.none(), HammingLossMulti(); }},
      {"MatthewsCorrCoefMulti", "matthews_corrcoef", [](S s) { return s.none(), MatthewsCorrCoefMulti(); }},
      {"BrierScoreMulti", "brier_score_loss", [](S s) { return s.none(), BrierScoreMulti(); }},
      {"RocAucMulti", "roc_auc_score", [](S s) { return RocAucMulti(of_scores(s)); }},
      {"APScoreMulti", "average_precision_score", [](S s) { return APScoreMulti(of_scores(s)); }},
      {"mse", "mse", [](S s) { return s.none(), mse; }},
      {"mae", "mae", [](S s) { return s.none(), mae; }},
      {"msle", "msle", [](S s) { return s.none(), msle; }},
      {"rmse", "_rmse", [](S s) { return s.none(), rmse; }},
      {"exp_rmspe", "_exp_rmspe", [](S s) { return s.none(), exp_rmspe; }},
      {"R2Score", "r2_score", [](S s) { return s.none(), R2Score(); }},
      {"ExplainedVariance", "explained_variance_score", [](S s) { return s.none(), ExplainedVariance(); }},
      {"PearsonCorrCoef", "pearsonr", [](S s) { return s.none(), PearsonCorrCoef(); }},
      {"SpearmanCorrCoef", "spearmanr", [](S s) { return s.none(), SpearmanCorrCoef(); }},
      {"foreground_acc", "foreground_acc", [](S s) { return s.none(), foreground_acc(); }},
      {"Dice", "dice", [](S s) { return s.none(), Dice(); }},
      {"DiceMulti", "dice_multi", [](S s) { return s.none(), DiceMulti(); }},
      {"JaccardCoeff", "jaccard_coeff", [](S s) { return s.none(), JaccardCoeff(); }},
      {"JaccardCoeffMulti", "jaccard_coeff_multi", [](S s) { return s.none(), JaccardCoeffMulti(); }},
  };
  return all;
}

}  // namespace

Metric metric_from_name(const std::string& name) {
  const auto colon = name.find(':');
  const Suffix suffix{name.substr(0, colon), colon == std::string::npos ? "" : name.substr(colon + 1)};
  for (const Named& named : all_metrics()) {
    if (named.maker == suffix.metric || named.column == suffix.metric) return named.make(suffix);
  }
  std::vector<std::string> known = metric_names();
  const std::string hint = fmt::format("known: {}", fmt::join(known, ", "));
  for (const Named& named : all_metrics()) known.push_back(named.column);
  throw Error(ErrorCode::usage, "there is no metric of this name", {{"name", name}},
              hint + did_you_mean(suffix.metric, known));
}

std::vector<std::string> metric_names() {
  std::vector<std::string> names;
  for (const Named& named : all_metrics()) names.push_back(named.maker);
  return names;
}

}  // namespace kindling
