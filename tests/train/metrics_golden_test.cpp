#include <kindling/core/error.hpp>
#include <kindling/train/metrics.hpp>

#include "golden.hpp"

#include <cmath>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using testing::golden;
using ::testing::HasSubstr;
using testing::tensor_from;

namespace {

const std::map<std::string, Average> averages = {{"micro", Average::micro},
                                                 {"macro", Average::macro},
                                                 {"weighted", Average::weighted},
                                                 {"samples", Average::samples}};

void add_averaged(std::map<std::string, Metric>& all) {
  using OfClasses = Metric (*)(const ClassOptions&);
  const std::map<std::string, OfClasses> of_classes = {
      {"F1Score", F1Score},
      {"FBeta(2)", [](const ClassOptions& o) { return FBeta(2, o); }},
      {"FBeta(0.5)", [](const ClassOptions& o) { return FBeta(0.5, o); }},
      {"Precision", Precision},
      {"Recall", Recall},
      {"Jaccard", Jaccard}};
  for (const auto& [name, make] : of_classes) {
    all.emplace(name, make({}));
    for (const char* average : {"micro", "macro", "weighted"})
      all.emplace(name + "(" + average + ")", make({.average = averages.at(average)}));
  }
  using OfLabels = Metric (*)(const MultiOptions&);
  const std::map<std::string, OfLabels> of_labels = {
      {"F1ScoreMulti", F1ScoreMulti},
      {"FBetaMulti(2)", [](const MultiOptions& o) { return FBetaMulti(2, o); }},
      {"PrecisionMulti", PrecisionMulti},
      {"RecallMulti", RecallMulti},
      {"JaccardMulti", JaccardMulti}};
  for (const auto& [average, value] : averages) {
    for (const auto& [name, make] : of_labels) all.emplace(name + "(" + average + ")", make({.average = value}));
    all.emplace("RocAucMulti(" + average + ")", RocAucMulti({.average = value}));
    all.emplace("APScoreMulti(" + average + ")", APScoreMulti({.average = value}));
  }
  all.emplace("F1Score(macro, labels 1, 3)", F1Score({.average = Average::macro, .labels = {1, 3}}));
  all.emplace("Precision(micro, labels 0, 1)", Precision({.average = Average::micro, .labels = {0, 1}}));
  all.emplace("F1Score(pos_label=0)", F1Score({.pos_label = 0}));
  all.emplace("F1ScoreMulti(thresh=0.7, labels 0, 2)", F1ScoreMulti({.thresh = 0.7, .labels = {0, 2}}));
}

/// Every metric of the golden file under its name there; masks are scored along their axis.
std::map<std::string, Metric> golden_metrics(bool masks) {
  using Weights = CohenKappaOptions::Weights;
  using MultiClass = RocAucOptions::MultiClass;
  std::map<std::string, Metric> all = {
      {"accuracy", masks ? accuracy_along(1) : accuracy},
      {"error_rate", error_rate},
      {"top_k_accuracy(2)", top_k_accuracy(2)},
      {"accuracy_multi", accuracy_multi()},
      {"accuracy_multi(0.7)", accuracy_multi({.thresh = 0.7})},
      {"accuracy_multi(0.3, no sigmoid)", accuracy_multi({.thresh = 0.3, .sigmoid = false})},
      {"Perplexity", Perplexity()},
      {"BalancedAccuracy", BalancedAccuracy()},
      {"BalancedAccuracy(adjusted)", BalancedAccuracy({.adjusted = true})},
      {"CohenKappa", CohenKappa()},
      {"CohenKappa(linear)", CohenKappa({.weights = Weights::linear})},
      {"CohenKappa(quadratic)", CohenKappa({.weights = Weights::quadratic})},
      {"CohenKappa(labels 0, 2)", CohenKappa({.labels = {0, 2}})},
      {"MatthewsCorrCoef", MatthewsCorrCoef()},
      {"HammingLoss", HammingLoss()},
      {"BrierScore", BrierScore()},
      {"RocAuc", RocAuc()},
      {"RocAuc(weighted)", RocAuc({.average = Average::weighted})},
      {"RocAuc(micro)", RocAuc({.average = Average::micro})},
      {"RocAuc(ovo)", RocAuc({.multi_class = MultiClass::ovo})},
      {"RocAuc(ovo, weighted)", RocAuc({.average = Average::weighted, .multi_class = MultiClass::ovo})},
      {"RocAucBinary", RocAucBinary()},
      {"RocAucBinary(max_fpr=0.3)", RocAucBinary({.max_fpr = 0.3})},
      {"APScoreBinary", APScoreBinary()},
      {"HammingLossMulti", HammingLossMulti()},
      {"HammingLossMulti(0.7)", HammingLossMulti({.thresh = 0.7})},
      {"mse", mse},
      {"mae", mae},
      {"msle", msle},
      {"rmse", rmse},
      {"exp_rmspe", exp_rmspe},
      {"R2Score", R2Score()},
      {"ExplainedVariance", ExplainedVariance()},
      {"PearsonCorrCoef", PearsonCorrCoef()},
      {"SpearmanCorrCoef", SpearmanCorrCoef()},
      {"foreground_acc", foreground_acc()},
      {"Dice", Dice()},
      {"JaccardCoeff", JaccardCoeff()},
      {"DiceMulti", DiceMulti()},
      {"JaccardCoeffMulti", JaccardCoeffMulti()}};
  add_averaged(all);
  return all;
}

double over_batches(const Metric& kind, const Json& data) {
  const auto pred = tensor_from(data.at("pred"));
  auto targ = tensor_from(data.at("targ"));
  if (data.at("targ").at("values")[0].is_number_integer()) targ = targ.to(torch::kInt64);
  const Metric metric = kind.fresh();
  std::int64_t at = 0;
  for (std::int64_t n : data.at("sizes").get<std::vector<std::int64_t>>()) {
    metric.accumulate(pred.narrow(0, at, n), targ.narrow(0, at, n));
    at += n;
  }
  return metric.value();
}

}  // namespace

TEST(Metrics, EachOverBatchesEqualsFastais) {
  const Json file = golden("train/engine_metrics.json");
  ASSERT_GT(file.at("runs").size(), 100u);
  const auto plain = golden_metrics(false), of_masks = golden_metrics(true);
  for (const Json& run : file.at("runs")) {
    const std::string name = run.at("metric").get<std::string>(), data = run.at("data").get<std::string>();
    SCOPED_TRACE(name + " of " + data);
    const auto& metrics = data == "masks" ? of_masks : plain;
    ASSERT_EQ(metrics.count(name), 1u);
    const Metric& metric = metrics.at(name);
    EXPECT_EQ(metric.name(), run.at("column").get<std::string>());
    const double value = over_batches(metric, file.at("data").at(data));
    if (run.at("value").is_null())
      EXPECT_TRUE(std::isnan(value)) << value;
    else
      EXPECT_NEAR(value, run.at("value").get<double>(), 2e-6);
  }
}

TEST(Metrics, NoneHasAValueBeforeABatch) {
  for (const std::string& name : metric_names())
    EXPECT_TRUE(std::isnan(metric_from_name(name).fresh().value())) << name;
}

TEST(Metrics, FreshOnesCountApart) {
  const auto pred = torch::eye(2), right = torch::tensor({0, 1}, torch::kInt64);
  for (const char* name : {"accuracy", "F1Score", "RocAucBinary", "Dice", "R2Score", "DiceMulti"}) {
    const Metric first = metric_from_name(name), second = first.fresh();
    const auto targ = std::string(name) == "R2Score" ? torch::eye(2) : right;
    const auto outputs = std::string(name).starts_with("Dice") ? pred.unsqueeze(2) : pred;
    first.accumulate(outputs, targ);
    EXPECT_FALSE(std::isnan(first.value())) << name;
    EXPECT_TRUE(std::isnan(second.value())) << name;
  }
}

TEST(Metrics, NameMayCarryTheAverage) {
  const auto pred = torch::tensor({{9.f, 0.f, 0.f}, {0.f, 9.f, 0.f}, {0.f, 9.f, 0.f}});
  const auto targ = torch::tensor({0, 1, 2}, torch::kInt64);
  EXPECT_NEAR(metric_from_name("F1Score:macro")(pred, targ), (1 + 2.0 / 3 + 0) / 3, 1e-9);
  EXPECT_NEAR(metric_from_name("f1_score:micro")(pred, targ), 2.0 / 3, 1e-9);
  EXPECT_NEAR(metric_from_name("top_k_accuracy:1")(pred, targ), 2.0 / 3, 1e-6);
  EXPECT_NEAR(metric_from_name("FBeta:1")(pred.narrow(1, 0, 2), torch::tensor({0, 1, 1}, torch::kInt64)), 1, 1e-9);
  for (const char* bad : {"F1Score:middle", "accuracy:1", "top_k_accuracy:x", "FBeta:-1", "top_k_accuracy:1e300"})
    EXPECT_THROW(metric_from_name(bad), Error) << bad;
}

TEST(Metrics, BinaryAverageOfMoreClassesTellsWhatToChoose) {
  try {
    F1Score()(torch::zeros({2, 3}), torch::zeros({2}, torch::kInt64));
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::usage);
    EXPECT_THAT(e.hint(), HasSubstr("Average::macro"));
  }
  EXPECT_THROW(F1Score({.average = Average::samples}), Error);
  EXPECT_THROW(F1ScoreMulti({.average = Average::binary}), Error);
  EXPECT_THROW(BrierScore()(torch::zeros({2, 3}), torch::zeros({2}, torch::kInt64)), Error);
}

TEST(Metrics, ScoresOfNaNAreNaN) {
  const auto pred = torch::full({4, 2}, NAN);
  const auto targ = torch::tensor({0, 1, 0, 1}, torch::kInt64);
  EXPECT_TRUE(std::isnan(RocAucBinary()(pred, targ)));
  EXPECT_TRUE(std::isnan(APScoreBinary()(pred, targ)));
  EXPECT_TRUE(std::isnan(SpearmanCorrCoef()(pred.select(1, 0), targ)));
}

TEST(Metrics, ClassThatNeverIsATargetLeavesRocAucUndefined) {
  EXPECT_TRUE(std::isnan(RocAuc()(torch::eye(3), torch::tensor({0, 1, 1}, torch::kInt64))));
}

TEST(Metrics, LabelsTogetherAreCountedWhereScikitLearnHasNoAnswer) {
  const auto pred = torch::tensor({{1.f, -1.f}, {1.f, 1.f}}), targ = torch::tensor({{1, 0}, {0, 1}}, torch::kInt64);
  // Decisions 1 0 1 1 for 1 0 0 1: three of four right.
  EXPECT_NEAR(MatthewsCorrCoefMulti()(pred, targ), 1 / std::sqrt(3.0), 1e-9);
  EXPECT_NEAR(BrierScoreMulti(false)(torch::full({2, 2}, 0.5), targ), 0.25, 1e-9);
}

TEST(Metrics, ManyClassesAreCountedToo) {
  const std::int64_t classes = 5000;
  const auto targ = torch::arange(classes);
  auto pred = torch::zeros({classes, classes});
  pred.fill_diagonal_(1);
  pred[0].zero_();
  pred[0][1] = 1;
  EXPECT_NEAR(BalancedAccuracy()(pred, targ), (classes - 1.0) / classes, 1e-9);
}

TEST(Metrics, TargetsOutsideTheClassesAreInNoMask) {
  const auto pred = torch::tensor({{{5.f, 0.f, 0.f}, {0.f, 5.f, 5.f}}});   // classes 0 1 1
  const auto targ = torch::tensor({{0, 1, 255}}, torch::kInt64);
  EXPECT_NEAR(DiceMulti()(pred, targ), (1 + 2.0 / 3) / 2, 1e-6);
}

TEST(Metrics, FunctionOfAllPredictionsIsCalledOnceAtTheEnd) {
  int calls = 0;
  const Metric metric = AccumMetric(
      "mine",
      [&calls](const torch::Tensor& preds, const torch::Tensor& targs) {
        ++calls;
        return (preds == targs).to(torch::kFloat64).sum().item<double>();
      },
      {.argmax = true});
  metric.accumulate(torch::eye(3), torch::tensor({0, 1, 1}, torch::kInt64));
  metric.accumulate(torch::eye(2), torch::tensor({0, 1}, torch::kInt64));
  EXPECT_EQ(metric.value(), 4);
  EXPECT_EQ(calls, 1);
}

TEST(Metrics, SeveralTargetsReachAFunctionOfThem) {
  const Metric metric("second", [](const torch::Tensor& p, const std::vector<torch::Tensor>& t) {
    return (p - t.at(1)).abs().mean();
  });
  const Metric counting = metric.fresh();
  counting.accumulate(torch::ones({2}), {torch::zeros({2}), torch::full({2}, 4.0)});
  EXPECT_EQ(counting.value(), 3);
  EXPECT_THROW(accuracy.fresh().accumulate(torch::eye(2), {torch::zeros({2}), torch::zeros({2})}), Error);
}

}  // namespace kindling
