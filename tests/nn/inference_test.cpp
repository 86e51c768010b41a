#include <kindling/core/error.hpp>
#include <kindling/nn/head.hpp>
#include <kindling/nn/inference.hpp>

#include "nn/formula_tensors.hpp"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn.h>
#include <torch/utils.h>

namespace kindling {
namespace {

using namespace kindling::testing;
using torch::Tensor;

struct ConvNet {
  std::shared_ptr<Backbone> body;
  torch::nn::Sequential head;
  Tensor forward(const Tensor& x) {
    const torch::NoGradGuard no_grad;
    return head->forward(body->forward_features(x));
  }
};

ConvNet make_net(const std::string& arch, const HeadOptions& options = {}) {
  auto body = create_model(arch);
  auto head = create_head(body->num_features(), 7, options);
  fill_by_formula(*body);
  fill_by_formula(*head);
  body->eval();
  head->eval();
  return {body, head};
}

void expect_close(const Tensor& got, const Tensor& want, const std::string& what) {
  const double scale = std::max(1.0, want.abs().max().item<double>());
  EXPECT_LT((got - want).abs().max().item<double>(), 1e-5 * scale) << what;
}

class FoldedModel : public ::testing::TestWithParam<std::string> {};

TEST_P(FoldedModel, GivesTheSameForEverySizeAndBatch) {
  ConvNet net = make_net(GetParam());
  std::vector<Tensor> inputs, wanted;
  // More sizes than are kept packed, odd sides, and a batch too large to pack for.
  for (const auto& [n, height, width] : {std::array{1, 64, 64},
                                         {2, 96, 64},
                                         {1, 75, 64},
                                         {1, 65, 97},
                                         {1, 64, 64},
                                         {3, 32, 48},
                                         {6, 64, 64}}) {
    inputs.push_back(formula_image(n, height, width));
    wanted.push_back(net.forward(inputs.back()));
  }
  const auto fast = optimize_for_inference(net.body, net.head);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    expect_close(fast->forward(inputs[i]), wanted[i], c10::str(inputs[i].sizes()));
  }
}

TEST_P(FoldedModel, LeavesItsInputAlone) {
  ConvNet net = make_net(GetParam());
  const auto fast = optimize_for_inference(net.body, net.head);
  const Tensor x = formula_image(1, 64, 64).contiguous(at::MemoryFormat::ChannelsLast), before = x.clone();
  fast->forward(x);
  EXPECT_TRUE(torch::equal(x, before));
}

TEST_P(FoldedModel, ClassifierStillWorks) {
  const auto model = create_model(GetParam(), {.num_classes = 10});
  fill_by_formula(*model);
  model->eval();
  const torch::NoGradGuard no_grad;
  const Tensor x = formula_image(1, 64, 64), want = model->forward(x);
  model->fold_batch_norm();
  expect_close(model->forward(x), want, GetParam());
  model->fold_batch_norm();
  expect_close(model->forward(x), want, "folded twice");
}

INSTANTIATE_TEST_SUITE_P(Models, FoldedModel,
                         ::testing::Values("resnet18", "resnet50", "squeezenet1_0", "squeezenet1_1",
                                           "efficientnet_lite0", "efficientnet_lite3"));

TEST(InferenceNet, GivesEqualResultsFromSeveralThreads) {
  ConvNet net = make_net("efficientnet_lite0");
  const auto fast = optimize_for_inference(net.body, net.head);
  std::vector<Tensor> inputs, wanted;
  for (int i = 0; i < 4; ++i) {
    inputs.push_back(formula_image(1, 64 + 16 * i, 64));
    wanted.push_back(fast->forward(inputs.back()));
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 3; ++round) {
        for (std::size_t i = 0; i < inputs.size(); ++i)
          expect_close(fast->forward(inputs[i]), wanted[i], "thread");
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(InferenceNet, ResultIsAnInferenceTensorWithoutGradient) {
  ConvNet net = make_net("squeezenet1_1");
  const Tensor y = optimize_for_inference(net.body, net.head)->forward(formula_image(1, 64, 64));
  EXPECT_TRUE(y.is_inference());
  EXPECT_FALSE(y.requires_grad());
}

TEST(InferenceNet, WithoutHeadGivesFeatures) {
  const auto fast = optimize_for_inference(create_model("resnet18"), torch::nn::Sequential(nullptr));
  EXPECT_EQ(fast->forward(formula_image(1, 64, 64)).sizes(), (std::vector<std::int64_t>{1, 512, 2, 2}));
}

TEST(InferenceNet, AnswersTheSameWithOneDnnSwitchedOff) {
  ConvNet net = make_net("efficientnet_lite0");
  const Tensor x = formula_image(1, 64, 64);
  const auto fast = optimize_for_inference(net.body, net.head);
  at::globalContext().setUserEnabledMkldnn(false);
  const Tensor plain = fast->forward(x);
  at::globalContext().setUserEnabledMkldnn(true);
  expect_close(plain, fast->forward(x), "plain convolutions");
}

TEST(FoldBatchNorm, AFoldedModelRefusesToTrain) {
  const auto model = create_model("resnet18");
  model->fold_batch_norm();
  EXPECT_FALSE(model->is_training());
  model->train();
  try {
    model->forward_features(formula_image(1, 64, 64));
    ADD_FAILURE() << "no error was thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::usage);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("whose batch norms were folded cannot be trained"));
  }
}

class FoldedHead : public ::testing::TestWithParam<HeadOptions> {};

TEST_P(FoldedHead, HasNoNormLeftAndGivesTheSame) {
  auto head = create_head(16, 5, GetParam());
  fill_by_formula(*head);
  head->eval();
  const Tensor x = formula_tensor("head input", {3, 16, 4, 5}), want = head->forward(x);
  fold_batch_norm(head);
  expect_close(head->forward(x), want, "head");
  for (const auto& module : head->children()) {
    EXPECT_EQ(module->as<torch::nn::BatchNorm1d>(), nullptr);
    EXPECT_EQ(module->as<torch::nn::Dropout>(), nullptr);
  }
}

INSTANTIATE_TEST_SUITE_P(Heads, FoldedHead,
                         ::testing::Values(HeadOptions{}, HeadOptions{.bn_final = true},
                                           HeadOptions{.lin_first = true}, HeadOptions{.first_bn = false},
                                           HeadOptions{.lin_ftrs = {24, 12},
                                                       .y_range = std::pair(0.0, 1.0)}));

TEST(FoldBatchNorm, KeepsANormThatHasNoLinearLayerBesideIt) {
  torch::nn::Sequential head(torch::nn::BatchNorm1d(4), torch::nn::ReLU(), torch::nn::Linear(4, 2));
  fill_by_formula(*head);
  head->eval();
  const Tensor x = torch::randn({3, 4}), want = head->forward(x);
  fold_batch_norm(head);
  EXPECT_EQ(head->size(), 3u);
  expect_close(head->forward(x), want, "head");
}

}  // namespace
}  // namespace kindling
