#include <kindling/core/error.hpp>
#include <kindling/nn/head.hpp>

#include "nn/formula_tensors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn.h>
#include <torch/utils.h>

namespace kindling {
namespace {

using namespace kindling::testing;
using torch::Tensor;

HeadOptions options_of(const std::string& name) {
  if (name == "lin_first") return {.lin_first = true};
  if (name == "no_first_bn") return {.first_bn = false};
  if (name == "no_concat_pool") return {.concat_pool = false};
  if (name == "no_pool") return {.pool = false};
  if (name == "bn_final") return {.bn_final = true};
  if (name == "y_range") return {.y_range = std::pair(-0.5, 5.5)};
  if (name == "two_hidden") return {.lin_ftrs = {24, 12}, .ps = 0.3};
  if (name == "no_hidden") return {.lin_ftrs = {}, .ps = 0.0};
  return {};
}

// "kindling::detail::AdaptiveConcatPool2dImpl" to "AdaptiveConcatPool2d".
std::string plain_name(const torch::nn::Module& module) {
  std::string name = module.name();
  name = name.substr(name.rfind(':') + 1);
  return ends_with(name, "Impl") ? name.substr(0, name.size() - 4) : name;
}

class EveryHead : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryHead, HasFastaisLayersInFastaisOrder) {
  const Json want = golden("heads").at(GetParam());
  auto head = create_head(16, 5, options_of(GetParam()));
  std::vector<std::string> layers;
  std::vector<double> dropout;
  for (const auto& module : head->children()) {
    layers.push_back(plain_name(*module));
    if (auto* drop = module->as<torch::nn::Dropout>()) dropout.push_back(drop->options.p());
  }
  EXPECT_EQ(layers, want.at("layers").get<std::vector<std::string>>());
  EXPECT_EQ(dropout, want.at("dropout").get<std::vector<double>>());
}

TEST_P(EveryHead, HasFastaisFreshWeightsForASeed) {
  const Json want = golden("heads").at(GetParam()).at("fresh");
  torch::manual_seed(7);
  auto head = create_head(16, 5, options_of(GetParam()));
  EXPECT_EQ(head->named_parameters().size(), want.size());
  for (const auto& item : head->named_parameters()) {
    expect_numbers(item.value(), want.at(item.key()), 1e-5, item.key());
  }
}

TEST_P(EveryHead, GivesFastaisOutput) {
  const HeadOptions options = options_of(GetParam());
  auto head = create_head(16, 5, options);
  fill_by_formula(*head);
  head->eval();
  const std::vector<std::int64_t> shape =
      options.pool ? std::vector<std::int64_t>{3, 16, 4, 5} : std::vector<std::int64_t>{3, 16};
  const Tensor y = head->forward(formula_tensor("head input", shape));
  EXPECT_EQ(y.sizes(), (std::vector<std::int64_t>{3, 5}));
  expect_numbers(y, golden("heads").at(GetParam()).at("output"), 1e-5, GetParam());
}

TEST_P(EveryHead, CanBeCloned) {
  auto head = create_head(16, 5, options_of(GetParam()));
  const auto copy = std::dynamic_pointer_cast<torch::nn::SequentialImpl>(head->clone());
  ASSERT_TRUE(copy);
  head->eval();
  copy->eval();
  const Tensor x = options_of(GetParam()).pool ? torch::rand({2, 16, 3, 3}) : torch::rand({2, 16});
  EXPECT_TRUE(torch::equal(head->forward(x), copy->forward(x)));
}

INSTANTIATE_TEST_SUITE_P(Heads, EveryHead,
                         ::testing::Values("default", "lin_first", "no_first_bn", "no_concat_pool", "no_pool",
                                           "bn_final", "y_range", "two_hidden", "no_hidden"));

TEST(CreateHead, HasFastaisCountsOfModules) {
  EXPECT_EQ(create_head(5, 10)->size(), 9u);
  EXPECT_EQ(create_head(5, 10, {.lin_first = true})->size(), 8u);
  EXPECT_EQ(create_head(5, 10, {.first_bn = false})->size(), 8u);
}

TEST(CreateHead, YRangeBoundsTheOutput) {
  auto head = create_head(4, 2, {.y_range = std::pair(1.0, 3.0)});
  head->eval();
  const Tensor y = head->forward(torch::randn({8, 4, 2, 2}) * 1000);
  EXPECT_GE(y.min().item<float>(), 1.0f);
  EXPECT_LE(y.max().item<float>(), 3.0f);
}

TEST(CreateHead, RefusesImpossibleOptions) {
  const auto refuse = [](int nf, int n_out, const HeadOptions& options) {
    try {
      create_head(nf, n_out, options);
      ADD_FAILURE() << "no error was thrown";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::usage);
      EXPECT_THAT(e.what(), ::testing::HasSubstr("a head cannot be made with these options"));
    }
  };
  refuse(0, 2, {});
  refuse(4, 0, {});
  refuse(4, 2, {.ps = 1.0});
  refuse(4, 2, {.lin_ftrs = {0}});
  refuse(4, 2, {.y_range = std::pair(2.0, 1.0)});
}

TEST(AdaptiveConcatPool, PutsTheMaximumFirst) {
  const Tensor x = torch::tensor({1.0f, 2.0f, 3.0f, 10.0f}).view({1, 1, 2, 2});
  const Tensor y = adaptive_concat_pool2d(x);
  EXPECT_EQ(y.sizes(), (std::vector<std::int64_t>{1, 2, 1, 1}));
  EXPECT_EQ(y.flatten()[0].item<float>(), 10.0f);
  EXPECT_EQ(y.flatten()[1].item<float>(), 4.0f);
  EXPECT_THROW(adaptive_concat_pool2d(torch::zeros({2, 3})), Error);
}

}  // namespace
}  // namespace kindling
