#include "nn/weights_golden.hpp"
#include "error_in.hpp"

#include <gmock/gmock.h>
#include <torch/nn.h>
#include <torch/utils.h>

namespace kindling {
namespace {

using ::testing::ElementsAre;
using testing::error_in;
using ::testing::HasSubstr;

TEST(Weights, FindsByNameAndNamesTheClosest) {
  const Weights weights({{"conv1.weight", torch::ones({2})}, {"fc.bias", torch::zeros({1})}});
  EXPECT_EQ(weights.at("conv1.weight").numel(), 2);
  EXPECT_FALSE(weights.contains("conv1.bias"));
  const Error e = error_in([&] { weights.at("conv1.weigth"); });
  EXPECT_EQ(e.code(), ErrorCode::not_found);
  EXPECT_THAT(e.message(), HasSubstr("did you mean 'conv1.weight'"));
}

TEST(Weights, RenamedDropsEmptyNamesAndKeepsOrderAndMetadata) {
  const Weights weights({{"b", torch::ones({1})}, {"a", torch::ones({2})}, {"drop", torch::ones({3})}},
                        {{"k", "v"}});
  const auto renamed =
      weights.renamed([](const std::string& name) { return name == "drop" ? "" : "x." + name; });
  ASSERT_EQ(renamed.size(), 2u);
  EXPECT_EQ(renamed.tensors()[0].first, "x.b");
  EXPECT_EQ(renamed.at("x.a").numel(), 2);
  EXPECT_EQ(renamed.metadata().at("k"), "v");
}

TEST(Weights, RefusesTwoTensorsOfOneName) {
  const Weights weights({{"a", torch::ones({1})}, {"b", torch::ones({1})}});
  const Error e = error_in([&] { weights.renamed([](const std::string&) { return "same"; }); });
  EXPECT_EQ(e.code(), ErrorCode::bad_weights);
  EXPECT_THAT(e.message(), HasSubstr("the same name"));
}

struct Net : torch::nn::Module {
  Net() {
    conv = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 4, 3).bias(false)));
    bn = register_module("bn", torch::nn::BatchNorm2d(4));
    fc = register_module("fc", torch::nn::Linear(4, 10));
  }
  torch::nn::Conv2d conv{nullptr};
  torch::nn::BatchNorm2d bn{nullptr};
  torch::nn::Linear fc{nullptr};
};

/// Another net's state without the names that begin with `without`.
Weights::Named state_without(const Net& net, const std::string& without) {
  auto state = state_dict(net);
  std::erase_if(state, [&](const auto& item) { return item.first.starts_with(without); });
  return state;
}

TEST(StateDict, HasPyTorchsNames) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state_dict(Net())) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("conv.weight", "bn.weight", "bn.bias", "fc.weight", "fc.bias",
                                 "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"));
}

TEST(LoadStateDict, CopiesEveryTensorAndConvertsTheDtype) {
  Net from, to;
  from.bn->running_mean.fill_(0.5);
  Weights::Named halves;
  for (const auto& [name, tensor] : state_dict(from)) {
    halves.emplace_back(name, tensor.is_floating_point() ? tensor.to(torch::kHalf) : tensor);
  }
  const auto report = load_state_dict(to, Weights(halves));
  EXPECT_TRUE(report.complete());
  EXPECT_EQ(report.loaded.size(), 8u);
  EXPECT_EQ(report.to_string(), "8 tensors loaded");
  EXPECT_EQ(to.conv->weight.scalar_type(), torch::kFloat);
  EXPECT_TRUE(torch::allclose(to.conv->weight, from.conv->weight, 1e-2, 1e-3));
  EXPECT_EQ(to.bn->running_mean[0].item<float>(), 0.5);
  EXPECT_TRUE(to.conv->weight.requires_grad());
}

TEST(LoadStateDict, NeedsNoBatchCount) {
  Net from, to;
  EXPECT_TRUE(load_state_dict(to, Weights(state_without(from, "bn.num_batches"))).complete());
}

TEST(LoadStateDict, NamesMissingAndUnexpectedKeysAndChangesNothing) {
  Net from, to;
  auto state = state_without(from, "bn.");
  state.emplace_back("extra", torch::ones({1}));
  const auto before = to.conv->weight.clone();
  const Error e = error_in([&] { load_state_dict(to, Weights(state)); });
  EXPECT_EQ(e.code(), ErrorCode::bad_weights);
  EXPECT_EQ(e.message(),
            "the weights do not fit the model: 4 missing (bn.weight; bn.bias; bn.running_mean; …), "
            "1 unexpected (extra)");
  EXPECT_THAT(e.hint(), HasSubstr("strict = false"));
  EXPECT_TRUE(torch::equal(to.conv->weight, before));
}

TEST(LoadStateDict, ExplainsAnotherNumberOfClasses) {
  Net to;
  auto state = state_without(Net(), "fc.");
  state.emplace_back("fc.weight", torch::ones({1000, 4}));
  state.emplace_back("fc.bias", torch::ones({1000}));
  const Error e = error_in([&] { load_state_dict(to, Weights(state)); });
  EXPECT_EQ(e.message(),
            "the weights do not fit the model: 2 misshapen (fc.weight: expected [10, 4], got [1000, 4]; "
            "fc.bias: expected [10], got [1000])");
  EXPECT_THAT(e.hint(), HasSubstr("made for 1000 classes and the model has 10"));
  EXPECT_THAT(e.hint(), HasSubstr("num_classes = 1000"));
}

TEST(LoadStateDict, NamesAForeignPrefix) {
  Net from, to;
  Weights::Named state;
  for (const auto& [name, tensor] : state_dict(from)) state.emplace_back("module." + name, tensor);
  const Error e = error_in([&] { load_state_dict(to, Weights(state)); });
  EXPECT_THAT(e.hint(), HasSubstr("begin with 'module.'"));
}

TEST(LoadStateDict, LooselyTakesWhatFitsAndReportsTheRest) {
  Net from, to;
  auto state = state_without(from, "fc.weight");
  state.emplace_back("fc.weight", torch::ones({3, 4}));
  state.emplace_back("extra", torch::ones({1}));
  std::erase_if(state, [](const auto& item) { return item.first == "bn.bias"; });
  const auto report = load_state_dict(to, Weights(state), {.strict = false});
  EXPECT_FALSE(report.complete());
  EXPECT_THAT(report.missing, ElementsAre("bn.bias"));
  EXPECT_THAT(report.unexpected, ElementsAre("extra"));
  EXPECT_THAT(report.misshapen, ElementsAre("fc.weight: expected [10, 4], got [3, 4]"));
  EXPECT_TRUE(torch::equal(to.conv->weight, from.conv->weight));
  EXPECT_EQ(report.to_string(),
            "6 tensors loaded\n1 missing (bn.bias)\n1 unexpected (extra)\n"
            "1 misshapen (fc.weight: expected [10, 4], got [3, 4])");
}

}  // namespace
}  // namespace kindling
