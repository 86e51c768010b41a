#include <kindling/core/error.hpp>
#include <kindling/train/hooks.hpp>
#include <kindling/train/learner.hpp>

#include "train/tiny_learner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using namespace testing;
using ::testing::HasSubstr;

TEST(Hooks, GiveTheOutputsOfLayersOfAnyModel) {
  nn::Linear first(4, 5), second(5, 2);
  nn::BatchNorm1d norm(5);
  const auto x = torch::randn({6, 4});
  const auto run = [&] { return second->forward(norm->forward(first->forward(x)).relu()); };
  torch::Tensor y, inner = first->forward(x);
  norm->eval();
  {
    auto hooks = hook_outputs({first.ptr(), norm.ptr(), second.ptr()});
    y = run();
    EXPECT_TRUE(torch::equal(hooks[0], inner));
    EXPECT_TRUE(torch::equal(hooks[1], norm->forward(inner)));
    EXPECT_TRUE(torch::equal(hooks[2], y));
    EXPECT_FALSE(hooks[2].requires_grad());
  }
  auto kept = hook_output(first.ptr(), /*detach=*/false);
  y = run();
  EXPECT_TRUE(kept[0].requires_grad());
  const auto before = kept[0];
  kept.hooks.remove();
  first->forward(x + 1);
  EXPECT_TRUE(torch::equal(kept[0], before)) << "removed hooks see nothing";
}

TEST(Hooks, GiveTheGradientsAtOutputs) {
  nn::Linear first(4, 5), second(5, 2);
  const auto x = torch::randn({6, 4});
  auto hooks = hook_output(first.ptr(), true, /*grad=*/true);
  second->forward(first->forward(x)).sum().backward();
  const auto expected = torch::ones({6, 2}).matmul(second->weight.detach());
  EXPECT_TRUE(torch::allclose(hooks[0], expected));
}

TEST(Hooks, ALayerWithoutParametersIsAClearError) {
  nn::ReLU relu;
  try {
    hook_output(relu.ptr());
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("without parameters of its own cannot be hooked"));
    EXPECT_THAT(e.what(), HasSubstr("ReLU"));
  }
}

TEST(ActivationStats, MeasureEachLayerAtEachTrainingBatch) {
  auto stats = std::make_shared<ActivationStats>(std::vector<ModulePtr>{}, true);
  struct SeeFirst {
    bool run_valid = false;
    std::vector<double> means;
    void after_pred(Learner& learn) {
      auto& net = dynamic_cast<TinyNet&>(learn.model.module());
      means.push_back(net.body[0]->as<nn::Linear>()->forward(learn.xb[0]).mean().item<double>());
    }
  };
  auto see = std::make_shared<SeeFirst>();
  Learner learn = tiny_learner({Callback(stats), Callback(see)});
  learn.fit(2, 0.05);
  ASSERT_EQ(stats->stats().size(), 10u);
  ASSERT_EQ(stats->stats()[0].size(), 3u);  // two linear layers and a batch norm
  const auto means = stats->layer_stats(0, &ActivationStats::Stats::mean);
  for (std::size_t i = 0; i < means.size(); ++i) EXPECT_NEAR(means[i], see->means[i], 1e-6);
  EXPECT_NEAR(stats->stats()[0][1].mean, 0, 0.05) << "a batch norm's output has mean 0";
  EXPECT_EQ(stats->stats()[0][0].hist.size(), 40u);
}

TEST(Summary, ListsLayersShapesAndParameters) {
  Learner learn = tiny_learner();
  learn.freeze();
  const std::string text = learn.summary();
  EXPECT_THAT(text, HasSubstr("TinyNet (Input shape: 4 x 6)\n" + std::string(76, '=')));
  EXPECT_THAT(text, HasSubstr("Layer (type)         Output Shape         Param #    Trainable \n"));
  EXPECT_THAT(text, HasSubstr("                     4 x 12              \n"
                              "Linear                                    84         False     \n"
                              "BatchNorm1d                               24         True      \n"
                              "ReLU                                                           \n"
                              "Dropout                                                        \n" +
                              std::string(76, '_') + "\n"
                              "                     4 x 3               \n"
                              "Linear                                    39         True      \n"));
  EXPECT_THAT(text, HasSubstr("Total params: 147\nTotal trainable params: 63\nTotal non-trainable params: 84\n"));
  EXPECT_THAT(text, HasSubstr("Optimizer used: Adam\nLoss function: CrossEntropyLossFlat\n\n"
                              "Model frozen up to parameter group #1\n"));
  EXPECT_THAT(text, HasSubstr("Callbacks:\n  - TrainEvalCallback\n  - RecorderCallback\n"));
  EXPECT_TRUE(learn.model.module().is_training()) << "the mode is as it was";
}

TEST(Summary, SeesThePoolingLayersOfAPictureModel) {
  nn::Sequential net(nn::Conv2d(nn::Conv2dOptions(3, 4, 3).padding(1)), nn::MaxPool2d(2), nn::Conv2d(4, 8, 3),
                     nn::AdaptiveAvgPool2d(nn::AdaptiveAvgPool2dOptions({1, 1})), nn::Flatten(), nn::Linear(8, 3));
  Learner learn(class_loaders(class_pairs(8, 1, {3, 8, 8}), class_pairs(4, 2, {3, 8, 8})), net, quietly());
  const std::string text = learn.summary();
  std::vector<std::string> shapes;
  const auto begin = text.find("Trainable");
  std::istringstream stream(text.substr(begin, text.find("Total params") - begin));
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with(' ')) continue;
    const auto first = line.find_first_not_of(' '), last = line.find_last_not_of(' ');
    if (first != std::string::npos) shapes.push_back(line.substr(first, last - first + 1));
  }
  EXPECT_THAT(shapes, ::testing::ElementsAre("4 x 4 x 8 x 8", "4 x 4 x 4 x 4", "4 x 8 x 2 x 2", "4 x 8 x 1 x 1", "4 x 8",
                                             "4 x 3"));
}

}  // namespace kindling
