#include <kindling/core/error.hpp>
#include <kindling/core/listener.hpp>
#include <kindling/train/losses.hpp>
#include <kindling/train/metrics.hpp>
#include <kindling/train/recorder.hpp>

#include "golden.hpp"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using testing::golden;
using testing::tensor_from;

namespace {

struct Logits {
  Json json = golden("train/metrics.json");
  torch::Tensor pred = tensor_from(json.at("logits"));
  torch::Tensor targ = torch::tensor(json.at("targets").get<std::vector<std::int64_t>>());
};

std::map<std::string, Metric> all_metrics() {
  return {{"accuracy", accuracy},       {"error_rate", error_rate},
          {"top_1", top_k_accuracy(1)}, {"top_2", top_k_accuracy(2)},
          {"top_3", top_k_accuracy(3)}, {"top_5", top_k_accuracy(5)},
          {"top_7", top_k_accuracy(7)}, {"cross_entropy", Metric("cross_entropy", CrossEntropyLossFlat())}};
}

/// A metric that keeps its own count.
struct CountItems {
  static constexpr const char* name = "items";
  std::int64_t n = 0;
  void reset() { n = 0; }
  void accumulate(const torch::Tensor& pred, const torch::Tensor&) { n += pred.size(0); }
  double value() const { return static_cast<double>(n); }
};

}  // namespace

TEST(Metric, OneBatchGivesFastaisValues) {
  Logits l;
  for (const auto& [name, value] : l.json.at("values").items()) {
    EXPECT_NEAR(all_metrics().at(name)(l.pred, l.targ), value.get<double>(), 1e-6) << name;
  }
}

TEST(Metric, BatchesAreWeightedByTheirSizes) {
  Logits l;
  const auto sizes = l.json.at("sizes").get<std::vector<std::int64_t>>();
  for (const auto& [name, value] : l.json.at("weighted").items()) {
    const Metric metric = all_metrics().at(name).fresh();
    metric.reset();
    std::int64_t at = 0;
    for (std::int64_t n : sizes) {
      metric.accumulate(l.pred.narrow(0, at, n), l.targ.narrow(0, at, n));
      at += n;
    }
    EXPECT_NEAR(metric.value(), value.get<double>(), 1e-6) << name;
  }
}

TEST(Metric, ValueWithoutBatchesIsNaN) {
  const Metric metric = accuracy.fresh();
  metric.reset();
  EXPECT_TRUE(std::isnan(metric.value()));
}

TEST(Metric, ObjectWithItsOwnCountConverts) {
  const Metric metric = CountItems{};
  metric.reset();
  metric.accumulate(torch::zeros({3, 2}), torch::zeros({3}));
  metric.accumulate(torch::zeros({2, 2}), torch::zeros({2}));
  EXPECT_EQ(metric.name(), "items");
  EXPECT_EQ(metric.value(), 5);
}

TEST(Metric, UnknownNameTellsTheNearOne) {
  try {
    metric_from_name("acuracy");
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("did you mean 'accuracy'"));
  }
}

TEST(CrossEntropyLossFlat, ActivationAndDecodeEqualFastais) {
  Logits l;
  const LossFunction loss = CrossEntropyLossFlat();
  EXPECT_TRUE(torch::allclose(loss.activation(l.pred), tensor_from(l.json.at("softmax")), 1e-5, 1e-7));
  EXPECT_EQ(loss.decodes(loss.activation(l.pred))
                .sub(torch::tensor(l.json.at("decoded").get<std::vector<std::int64_t>>()))
                .abs()
                .sum()
                .item<std::int64_t>(),
            0);
  EXPECT_NEAR(loss.per_item(l.pred, l.targ).mean().item<double>(),
              l.json.at("values").at("cross_entropy").get<double>(), 1e-6);
}

TEST(LossFunction, FunctionOfTheUsersHasNoLossOfOneItem) {
  const LossFunction mine = [](const torch::Tensor& p, const torch::Tensor& t) {
    return (p - t).abs().mean();
  };
  EXPECT_EQ(mine(torch::ones({2}), torch::zeros({2})).item<float>(), 1.0f);
  EXPECT_THROW(mine.per_item(torch::ones({2}), torch::zeros({2})), Error);
}

TEST(SmoothLoss, EqualsFastais) {
  const Json json = golden("train/recorder.json");
  for (const auto& [beta, values] : json.at("smooth").items()) {
    SmoothLoss smooth(std::stod(beta));
    EXPECT_TRUE(std::isnan(smooth.value()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      smooth.add(json.at("losses")[i].get<double>());
      EXPECT_NEAR(smooth.value(), values[i].get<double>(), 5e-6) << "beta " << beta << " step " << i;
    }
  }
}

TEST(Recorder, CellsAreTheCoursesAndDurationsFastais) {
  Recorder recorder;
  recorder.metric_names = {"error_rate"};
  EXPECT_THAT(recorder.columns(),
              ::testing::ElementsAre("epoch", "train_loss", "valid_loss", "error_rate", "time"));
  EXPECT_THAT(
      recorder.cells({.epoch = 2, .train_loss = 0.1234567, .valid_loss = NAN, .metrics = {1}, .seconds = 61}),
      ::testing::ElementsAre("2", "0.123457", "None", "1.000000", "01:01"));
  const Json json = golden("train/recorder.json");
  for (const Json& pair : json.at("time")) {
    EXPECT_EQ(format_duration(pair[0].get<double>()), pair[1].get<std::string>());
  }
}

}  // namespace kindling
