#include <kindling/core/error.hpp>
#include <kindling/data/datablock.hpp>

#include <atomic>
#include <chrono>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace kindling {

using ::testing::HasSubstr;

namespace {

/// Items that are their own index, some of which fail or take their time.
struct CountedItems final : Dataset {
  std::int64_t n;
  std::int64_t fails = -1;
  mutable std::atomic<std::int64_t> made{0};
  explicit CountedItems(std::int64_t count) : n(count) {}
  std::int64_t size() const override { return n; }
  Values raw(std::int64_t i) const override {
    ++made;
    // Later items are ready first: the order must come from the loader.
    std::this_thread::sleep_for(std::chrono::microseconds(200 * (3 - i % 4)));
    if (i == fails) throw Error(ErrorCode::bad_image, "the JPEG ends early");
    return {Number{static_cast<double>(i)}};
  }
  Value item(std::int64_t i) const override { return fs::path("photo" + std::to_string(i) + ".jpg"); }
};

std::shared_ptr<const Pipeline> plain() {
  return std::make_shared<Pipeline>(Pipeline{.blocks = {{}}});
}

std::vector<float> all_of(const DataLoader& dl) {
  std::vector<float> all;
  for (const Batch& b : dl) {
    const auto x = b.x[0];
    for (std::int64_t i = 0; i < x.size(0); ++i) all.push_back(x[i].item<float>());
    EXPECT_EQ(static_cast<std::int64_t>(b.items.size()), b.size());
  }
  return all;
}

}  // namespace

TEST(DataLoader, OrderIsTheDataSetsWhateverTheNumberOfThreads) {
  auto data = std::make_shared<CountedItems>(23);
  std::vector<float> expected(23);
  std::iota(expected.begin(), expected.end(), 0.f);
  for (int workers : {0, 1, 2, 8}) {
    EXPECT_EQ(all_of(DataLoader(data, plain(), {.bs = 4, .num_workers = workers})), expected) << workers;
  }
}

TEST(DataLoader, ShuffleIsAPermutationThatChangesWithTheEpochAndNotWithThreads) {
  auto data = std::make_shared<CountedItems>(40);
  DataLoader a(data, plain(), {.bs = 8, .shuffle = true, .num_workers = 2, .seed = 3});
  DataLoader b(data, plain(), {.bs = 8, .shuffle = true, .num_workers = 0, .seed = 3});
  const auto first = all_of(a), second = all_of(a);
  EXPECT_NE(first, second);
  EXPECT_EQ(first, all_of(b));
  EXPECT_EQ(second, all_of(b));
  EXPECT_EQ(std::set<float>(first.begin(), first.end()).size(), 40u);
}

TEST(DataLoader, AnEpochCanBeginAtALaterBatchWithoutMakingThoseBefore) {
  for (int workers : {0, 2}) {
    auto data = std::make_shared<CountedItems>(22);
    const DataLoader dl(data, plain(), {.bs = 4, .shuffle = true, .num_workers = workers, .seed = 3});
    const auto batches_of = [&](std::int64_t first) {
      std::vector<std::vector<std::int64_t>> all;
      auto epoch = dl.epoch(5, first);
      for (Batch batch; epoch.next(batch);) all.push_back(batch.items);
      return all;
    };
    const auto whole = batches_of(0);
    ASSERT_EQ(whole.size(), 6u);
    data->made = 0;
    EXPECT_EQ(batches_of(4), (std::vector<std::vector<std::int64_t>>{whole[4], whole[5]}));
    EXPECT_EQ(data->made, 6);
    EXPECT_TRUE(batches_of(6).empty());
    EXPECT_TRUE(batches_of(99).empty());
  }
}

TEST(DataLoader, SizeCountsTheLastBatchUnlessDropped) {
  auto data = std::make_shared<CountedItems>(26);
  EXPECT_EQ(DataLoader(data, plain(), {.bs = 4}).size(), 7);
  DataLoader dropped(data, plain(), {.bs = 4, .drop_last = true});
  EXPECT_EQ(dropped.size(), 6);
  EXPECT_EQ(all_of(dropped).size(), 24u);
}

TEST(DataLoader, ErrorOfAnItemReachesTheCallerWithTheFilesName) {
  auto data = std::make_shared<CountedItems>(20);
  data->fails = 9;
  for (int workers : {0, 3}) {
    DataLoader dl(data, plain(), {.bs = 4, .num_workers = workers});
    auto epoch = dl.epoch(0);
    Batch batch;
    EXPECT_TRUE(epoch.next(batch));
    EXPECT_TRUE(epoch.next(batch));
    try {
      epoch.next(batch);
      FAIL() << "no error";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::bad_image);
      EXPECT_EQ(e.fact("item"), "9");
      EXPECT_THAT(e.fact("path"), HasSubstr("photo9.jpg"));
    }
  }
}

TEST(DataLoader, WorkersStayWithinThePrefetchAndStopWithTheEpoch) {
  auto data = std::make_shared<CountedItems>(1000);
  {
    DataLoader dl(data, plain(), {.bs = 10, .num_workers = 2, .prefetch = 2});
    auto epoch = dl.epoch(0);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(data->made, 20);
    Batch batch;
    epoch.next(batch);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(data->made, 30);
  }
  EXPECT_EQ(data->made, 30) << "the workers ended with the epoch";
}

TEST(DataLoader, OneBatchOfTooFewItemsTellsTheBatchSize) {
  auto data = std::make_shared<CountedItems>(3);
  try {
    DataLoader(data, plain(), {.bs = 4, .drop_last = true}).one_batch();
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("does not contain any batches (items: 3, bs: 4)"));
  }
}

namespace {

Block NumberBlock() {
  return {.target = TargetKind::number};
}

DataBlockOptions numbers() {
  return {.blocks = {NumberBlock(), CategoryBlock()},
          .splitter = EndSplitter(0.25),
          .get_x = [](const Value& v) { return std::get<Number>(v).value; },
          .get_y = [](const Value& v) { return std::get<Number>(v).value < 4 ? "low" : "high"; }};
}

Items eight() {
  Items items;
  for (int i = 0; i < 8; ++i) items.push_back(Number{static_cast<double>(i)});
  return items;
}

}  // namespace

TEST(DataBlock, MakesLoadersWithVocabAndTarget) {
  const DataLoaders dls = DataBlock(numbers()).dataloaders(eight(), {.bs = 2, .shuffle = false});
  EXPECT_THAT(dls.vocab(), ::testing::ElementsAre("high", "low"));
  EXPECT_EQ(dls.c(), 2);
  EXPECT_EQ(dls.train().n(), 6);
  EXPECT_EQ(dls.valid().n(), 2);
  EXPECT_TRUE(torch::equal(dls.train().one_batch().y[0], torch::tensor({1, 1}, torch::kInt64)));
  EXPECT_TRUE(torch::equal(dls.test_dl(Items{Number{5}}).one_batch().x[0], torch::tensor({5.f})));
  EXPECT_TRUE(dls.test_dl(Items{Number{5}}).one_batch().y.empty());
  EXPECT_TRUE(
      torch::equal(dls.test_dl(Items{Number{5}}, true).one_batch().y[0], torch::tensor({0}, torch::kInt64)));
}

TEST(DataBlock, ValidationLabelThatTrainingNeverSawIsFoundBeforeTraining) {
  DataBlockOptions options = numbers();
  options.get_y = [](const Value& v) { return std::get<Number>(v).value < 7 ? "low" : "rare"; };
  try {
    DataBlock(options).dataloaders(eight());
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("label 'rare' was not included in the training data"));
    EXPECT_EQ(e.fact("item"), "Number 7");
  }
}

TEST(DataBlock, LabelFunctionThatThrowsNamesTheItemBeforeTraining) {
  DataBlockOptions options = numbers();
  options.get_y = [](const Value& v) -> std::string {
    if (std::get<Number>(v).value == 3) throw std::runtime_error("no label");
    return "low";
  };
  try {
    DataBlock(options).dataloaders(eight());
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.fact("item"), "Number 3");
  }
}

TEST(DataBlock, SplitWithoutValidationItemsIsRefused) {
  DataBlockOptions options = numbers();
  options.splitter = EndSplitter(0);
  try {
    DataBlock(options).dataloaders(eight());
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("(items: 8, train: 8, valid: 0)"));
  }
}

TEST(DataBlock, WithReplacesTheUsersTransformsAlone) {
  DataBlockOptions options = numbers();
  options.item_tfms = {[](const Number& n) { return Number{n.value * 10}; }};
  const DataBlock block(options);
  const DataBlock changed =
      block.with({.item_tfms = {[](const Number& n) { return Number{n.value + 0.5}; }}});
  auto first = [](const DataLoaders& dls) { return dls.train().one_batch().x[0][1].item<float>(); };
  EXPECT_EQ(first(block.dataloaders(eight(), {.bs = 2, .shuffle = false})), 10);
  EXPECT_EQ(first(changed.dataloaders(eight(), {.bs = 2, .shuffle = false})), 1.5);
}

TEST(DefaultDevice, IsTheOneThatTorchCanUse) {
  EXPECT_EQ(default_device().type(), torch::cuda::is_available() ? torch::kCUDA : torch::kCPU);
  EXPECT_EQ(LoaderOptions{}.device, default_device());
}

}  // namespace kindling
