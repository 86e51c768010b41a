#include <kindling/core/error.hpp>
#include <kindling/train/losses.hpp>

#include "golden.hpp"
#include "error_in.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using testing::golden;
using ::testing::HasSubstr;
using testing::tensor_from;

namespace {

using kindling::testing::error_in;

struct Data {
  torch::Tensor pred;
  torch::Tensor targ;
};

/// Targets of classes are whole numbers, as data makes them; numbers stay float32.
Data data_of(const Json& file, const std::string& name) {
  const Json& data = file.at("data").at(name);
  Data d{tensor_from(data.at("pred")), tensor_from(data.at("targ"))};
  if (name == "logits") d.targ = d.targ.to(torch::kInt64);
  if (name == "masks") d.targ = d.targ.to(torch::kUInt8);
  return d;
}

double distance(const torch::Tensor& a, const torch::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return (a.to(torch::kFloat64) - b.to(torch::kFloat64)).abs().max().item<double>();
}

}  // namespace

TEST(Losses, ValueGradientItemsActivationAndDecodingEqualFastais) {
  const Json file = golden("train/engine_losses.json");
  ASSERT_EQ(file.at("runs").size(), 27u);
  for (const Json& run : file.at("runs")) {
    SCOPED_TRACE(run.at("loss").dump());
    const LossFunction loss = loss_from_json(run.at("loss"));
    const Data d = data_of(file, run.at("data").get<std::string>());
    const auto pred = d.pred.clone().requires_grad_();
    const auto value = loss(pred, d.targ);
    value.backward();
    const double scale = std::max(1.0, std::abs(run.at("value").get<double>()));
    EXPECT_NEAR(value.item<double>(), run.at("value").get<double>(), 1e-6 * scale);
    EXPECT_LT(distance(pred.grad(), tensor_from(run.at("grad"))), 1e-6);
    if (run.contains("per_item")) {
      EXPECT_LT(distance(loss.per_item(d.pred, d.targ), tensor_from(run.at("per_item"))), 2e-6);
    }
    // fastai's label smoothing decodes along the last axis, whatever its own is (docs/differences.md).
    const bool slip = loss.name() == "LabelSmoothingCrossEntropyFlat" && run.at("loss").contains("axis");
    if (run.contains("activation") && !slip) {
      const auto activated = loss.activation(d.pred);
      EXPECT_LT(distance(activated, tensor_from(run.at("activation"))), 1e-6);
      EXPECT_EQ(distance(loss.decodes(activated), tensor_from(run.at("decoded"))), 0);
    }
  }
}

TEST(Losses, JsonGivesTheSameLossBack) {
  const Json file = golden("train/engine_losses.json");
  for (const Json& run : file.at("runs")) {
    const LossFunction loss = loss_from_json(run.at("loss"));
    const LossFunction again = loss_from_json(parse_json(loss.to_json().dump(), "test"));
    EXPECT_EQ(loss.to_json(), again.to_json());
    const Data d = data_of(file, run.at("data").get<std::string>());
    EXPECT_TRUE(torch::equal(loss(d.pred, d.targ), again(d.pred, d.targ))) << loss.to_json();
  }
}

TEST(Losses, LossAtItsDefaultsIsItsNameAsInFormatVersionOne) {
  EXPECT_EQ(CrossEntropyLossFlat().to_json(), "CrossEntropyLossFlat");
  EXPECT_EQ(CrossEntropyLossFlat({.axis = 1}).to_json(), (Json{{"name", "CrossEntropyLossFlat"}, {"axis", 1}}));
  const LossFunction mine = [](const torch::Tensor& p, const torch::Tensor&) { return p.mean(); };
  EXPECT_EQ(mine.to_json(), "");
  EXPECT_FALSE(loss_from_json(""));
}

TEST(Losses, SettingsThatCannotBeReadAreABadModel) {
  for (const char* bad : {R"("NoSuchLoss")", "7", "null", "[]", "{}", R"({"name": 3})",
                          R"({"name": "FocalLossFlat", "gamma": "big"})",
                          R"({"name": "MSELossFlat", "reduction": "median"})",
                          R"({"name": "CrossEntropyLossFlat", "weight": [1, "x"]})"}) {
    EXPECT_EQ(error_in([&] { loss_from_json(parse_json(bad, "test")); }).code(), ErrorCode::bad_model) << bad;
  }
}

TEST(Losses, LossOfTheUsersOwnIsLoadedOnceRegistered) {
  register_loss("losses_test.Scaled", [](const Json& settings) {
    const double factor = settings.at("factor").get<double>();
    return LossFunction({.name = "losses_test.Scaled",
                         .settings = {{"factor", factor}},
                         .loss = [factor](const torch::Tensor& p, const LossFunction::Targets& t) {
                           return factor * (p - t[0]).abs().mean();
                         }});
  });
  const LossFunction loss = loss_from_json({{"name", "losses_test.Scaled"}, {"factor", 3}});
  EXPECT_EQ(loss(torch::ones({2}), torch::zeros({2})).item<float>(), 3);
  EXPECT_EQ(loss_from_json(loss.to_json()).to_json(), loss.to_json());
}

TEST(Losses, SeveralTargetsReachAFunctionOfThem) {
  const auto a = torch::full({3}, 2.0), b = torch::full({3}, 5.0), pred = torch::ones({3});
  const LossFunction of_two = [](const torch::Tensor& p, const torch::Tensor& t, const torch::Tensor& u) {
    return (p * (u - t)).mean();
  };
  const LossFunction of_all = [](const torch::Tensor& p, const std::vector<torch::Tensor>& t) {
    return (p * t.at(1)).mean();
  };
  EXPECT_EQ(of_two(pred, LossFunction::Targets{a, b}).item<float>(), 3);
  EXPECT_EQ(of_all(pred, LossFunction::Targets{a, b}).item<float>(), 5);
  const Error e = error_in([&] { MSELossFlat()(pred, LossFunction::Targets{a, b}); });
  EXPECT_THAT(e.what(), HasSubstr("another number of targets than the data has (takes: 1, targets: 2)"));
}

TEST(Losses, ShapesThatDoNotFitAreAClearError) {
  const Error numbers = error_in([] { MSELossFlat()(torch::zeros({4, 2}), torch::zeros({4})); });
  EXPECT_EQ(numbers.code(), ErrorCode::bad_data);
  EXPECT_THAT(numbers.what(), HasSubstr("(outputs: [4, 2], targets: [4])"));
  error_in([] { CrossEntropyLossFlat()(torch::zeros({4, 2}), torch::zeros({3}, torch::kInt64)); });
  error_in([] { CrossEntropyLossFlat({.axis = 5})(torch::zeros({4, 2}), torch::zeros({4}, torch::kInt64)); });
  error_in([] { DiceLoss()(torch::zeros({1, 2, 3, 3}), torch::zeros({1, 2, 2}, torch::kInt64)); });
  const Error weights = error_in([] {
    CrossEntropyLossFlat({.weight = {1, 2, 3}})(torch::zeros({4, 2}), torch::zeros({4}, torch::kInt64));
  });
  EXPECT_THAT(weights.what(), HasSubstr("one weight for each class (weights: 3, classes: 2)"));
}

TEST(Losses, ClassThatTheModelHasNoOutputForIsAClearError) {
  for (const LossFunction& loss :
       {CrossEntropyLossFlat(), FocalLossFlat(), LabelSmoothingCrossEntropyFlat()}) {
    const Error e =
        error_in([&] { loss(torch::zeros({2, 3}), torch::tensor({0, 3}, torch::kInt64)); });
    EXPECT_EQ(e.code(), ErrorCode::bad_data);
    EXPECT_THAT(e.what(), HasSubstr("(largest: 3, smallest: 0, outputs: 3)"));
  }
}

TEST(Losses, WeightsOfLabelsScaleTheirColumns) {
  const auto pred = torch::zeros({2, 2}), targ = torch::ones({2, 2});
  const double plain = BCEWithLogitsLossFlat()(pred, targ).item<double>();
  EXPECT_NEAR(BCEWithLogitsLossFlat({.weight = {1, 3}})(pred, targ).item<double>(), 2 * plain, 1e-6);
  EXPECT_NEAR(BCELossFlat({.weight = {1, 3}})(pred.sigmoid(), targ).item<double>(), 2 * plain, 1e-6);
  error_in([&] { BCEWithLogitsLossFlat({.pos_weight = {1, 2, 3}})(pred, targ); });
}

TEST(Losses, OnlyLossesOfClassesMixTheirLosses) {
  for (const char* name : {"CrossEntropyLossFlat", "FocalLossFlat", "FocalLoss", "LabelSmoothingCrossEntropy"})
    EXPECT_TRUE(loss_from_name(name).y_int()) << name;
  for (const char* name : {"MSELossFlat", "BCEWithLogitsLossFlat", "DiceLoss"})
    EXPECT_FALSE(loss_from_name(name).y_int()) << name;
}

}  // namespace kindling
