#include <kindling/core/error.hpp>
#include <kindling/data/dataloaders.hpp>
#include <kindling/data/pairs.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "error_in.hpp"
#include <torch/types.h>

namespace kindling {
namespace {

using kindling::testing::error_in;

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::int64_t> whole(const torch::Tensor& t) {
  auto flat = t.to(torch::kInt64).flatten().contiguous();
  return {flat.data_ptr<std::int64_t>(), flat.data_ptr<std::int64_t>() + flat.numel()};
}

struct PlusOne {
  static constexpr const char* name = "PlusOne";
  torch::Tensor encodes(const torch::Tensor& t) const { return t + 1; }
};

TEST(PairLoader, BatchesTensorsInOrderWithoutCopyingThem) {
  auto x = torch::arange(10).unsqueeze(1), y = torch::arange(10) * 2;
  std::vector<std::int64_t> sizes, seen;
  for (const Batch& batch : pair_loader(x, y, {.bs = 4})) {
    sizes.push_back(batch.size());
    EXPECT_TRUE(torch::equal(batch.x[0].squeeze(1) * 2, batch.y[0]));
    EXPECT_TRUE(batch.x[0].is_alias_of(x)) << "a batch of neighbours is a view";
    for (std::int64_t i : whole(batch.x[0])) seen.push_back(i);
    EXPECT_EQ(batch.items, whole(batch.x[0]));
  }
  EXPECT_THAT(sizes, ElementsAre(4, 4, 2));
  EXPECT_THAT(seen, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
}

TEST(PairLoader, ShufflesAnewEachEpochAndKeepsPairsTogether) {
  auto x = torch::arange(100), y = x * x;
  const DataLoader dl = pair_loader(x, y, {.bs = 32, .shuffle = true, .drop_last = true, .seed = 1});
  EXPECT_EQ(dl.size(), 3);
  std::vector<std::vector<std::int64_t>> epochs;
  for (int epoch = 0; epoch < 2; ++epoch) {
    auto& seen = epochs.emplace_back();
    for (const Batch& batch : dl) {
      EXPECT_TRUE(torch::equal(batch.x[0] * batch.x[0], batch.y[0]));
      EXPECT_EQ(batch.items, whole(batch.x[0]));
      seen.insert(seen.end(), batch.items.begin(), batch.items.end());
    }
    EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), 96u) << "no item comes twice";
  }
  EXPECT_NE(epochs[0], epochs[1]);
}

TEST(PairLoader, GathersTheSameAsItemByItem) {
  auto x = torch::randn({37, 3}), y = torch::randint(0, 2, {37});
  const DataLoaderOptions options{.bs = 8, .shuffle = true, .num_workers = 0, .seed = 5};
  std::vector<Values> items;
  for (std::int64_t i = 0; i < 37; ++i) items.push_back({x[i], y[i]});
  const DataLoader slow(std::make_shared<ListDataset>(items), std::make_shared<Pipeline>(), options);
  const DataLoader fast = pair_loader(x, y, options);
  auto other = slow.epoch(3);
  Batch expected;
  auto batches = fast.epoch(3);
  for (Batch got; batches.next(got);) {
    ASSERT_TRUE(other.next(expected));
    EXPECT_TRUE(torch::equal(got.x[0], expected.x[0]));
    EXPECT_TRUE(torch::equal(got.y[0], expected.y[0]));
    EXPECT_EQ(got.items, expected.items);
  }
  EXPECT_FALSE(other.next(expected));
}

TEST(PairLoader, TakesListsOfPairsOfAnything) {
  std::vector<std::pair<int, double>> numbers;
  for (int i = 0; i < 5; ++i) numbers.emplace_back(i, i / 2.0);
  const Batch batch = pair_loader(numbers, {.bs = 5}).one_batch();
  EXPECT_EQ(batch.x[0].scalar_type(), torch::kInt64);
  EXPECT_EQ(batch.y[0].scalar_type(), torch::kFloat32);
  EXPECT_TRUE(torch::equal(batch.x[0].to(torch::kFloat32) / 2, batch.y[0]));

  std::vector<std::pair<torch::Tensor, torch::Tensor>> tensors;
  for (int i = 0; i < 3; ++i) tensors.emplace_back(torch::full({2, 2}, i), torch::tensor({i}));
  EXPECT_THAT(whole(pair_loader(tensors, {.bs = 2}).one_batch().x[0]), ElementsAre(0, 0, 0, 0, 1, 1, 1, 1));

  const std::map<int, bool> truths{{1, true}, {2, false}};
  EXPECT_EQ(pair_loader(truths).one_batch().y[0].scalar_type(), torch::kBool);
}

TEST(PairLoader, CollatesPicturesOfAList) {
  Image image({4, 3}, 1);
  std::fill_n(image.data(), image.bytes(), std::uint8_t{7});
  std::vector<std::pair<Image, CategoryIndex>> pairs(2, {image, CategoryIndex{1}});
  const Batch batch = pair_loader(pairs, {.bs = 2}).one_batch();
  EXPECT_THAT(batch.x[0].sizes(), ElementsAre(2, 1, 3, 4));
  EXPECT_THAT(whole(batch.y[0]), ElementsAre(1, 1));
}

TEST(PairLoader, StillRunsItemsThroughAPipelineThatWantsThem) {
  const auto dataset = std::make_shared<TensorDataset>(std::vector{torch::arange(4), torch::arange(4)});
  auto pipeline = std::make_shared<Pipeline>();
  pipeline->item_tfms = {PlusOne{}};
  const DataLoader dl(dataset, pipeline, {.bs = 4, .num_workers = 2});
  EXPECT_THAT(whole(dl.one_batch().x[0]), ElementsAre(1, 2, 3, 4));
}

TEST(PairLoader, RefusesMembersThatDoNotBelongTogether) {
  const Error lengths = error_in([] { pair_loader(torch::zeros({3}), torch::zeros({4})); });
  EXPECT_EQ(lengths.code(), ErrorCode::bad_data);
  EXPECT_EQ(lengths.fact("first"), "3");
  EXPECT_EQ(lengths.fact("other"), "4");
  EXPECT_EQ(error_in([] { pair_loader(torch::tensor(1), torch::tensor(1)); }).code(), ErrorCode::usage);
  EXPECT_EQ(error_in([] { TensorDataset({}); }).code(), ErrorCode::usage);
  const Error members = error_in([] { item_loader({{Number{1}, Number{2}}, {Number{1}}}); });
  EXPECT_EQ(members.fact("item"), "1");
}

TEST(PairLoader, SaysWhichItemsOfAListDoNotFit) {
  std::vector<std::pair<torch::Tensor, int>> pairs = {{torch::zeros({2}), 0}, {torch::zeros({3}), 1}};
  const Error error = error_in([&] { pair_loader(pairs, {.bs = 2}).one_batch(); });
  EXPECT_THAT(error.what(), HasSubstr("tensors of different shapes cannot be one batch"));
}

TEST(PairLoader, AnEmptyListHasNoBatches) {
  EXPECT_EQ(item_loader({}).size(), 0);
  EXPECT_EQ(error_in([] { item_loader({}).one_batch(); }).code(), ErrorCode::bad_data);
}

}  // namespace
}  // namespace kindling
