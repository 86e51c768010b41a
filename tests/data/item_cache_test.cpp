#include "data/item_store.hpp"
#include "data/value_bytes.hpp"

#include <kindling/core/error.hpp>
#include <kindling/data/datablock.hpp>

#include "core/temporary_folder.hpp"

#include <atomic>
#include <cstring>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

namespace kindling {

using ::testing::HasSubstr;
using testing::ScopedVariable;
using testing::TemporaryFolder;

namespace {

/// Stands for a decoder: a grey picture of the file's first byte, counting how often files are opened.
struct Open {
  static constexpr const char* name = "Open";
  std::shared_ptr<std::atomic<int>> opened = std::make_shared<std::atomic<int>>(0);
  Image encodes(const fs::path& path) const {
    ++*opened;
    Image image({2, 2}, 1);
    std::memset(image.data(), read_file(path).at(0), image.bytes());
    return image;
  }
};

/// Brighter by a draw, in training only.
struct Brighten {
  static constexpr const char* name = "Brighten";
  static constexpr Split only_on = Split::train;
  Image encodes(const Image& image, const ItemContext& context) const {
    CounterRng rng = context.rng();
    Image bright({image.width(), image.height()}, 1);
    std::memset(bright.data(), image.data()[0] + static_cast<int>(1 + 9 * rng.uniform()), bright.bytes());
    return bright;
  }
};

struct Files {
  TemporaryFolder folder;
  Open open;
  Paths paths;
  explicit Files(int n = 10) {
    for (int i = 0; i < n; ++i) {
      paths.push_back(folder / ("photo" + std::to_string(i) + ".bin"));
      write_file(paths.back(), std::string(1, static_cast<char>('a' + i)));
    }
  }
  DataLoaders loaders(Cache cache) const {
    DataBlock block({.blocks = {Block{.type_tfms = {open}}, CategoryBlock()},
                     .splitter = EndSplitter(0.5),
                     .get_y = [](const fs::path& p) { return p.stem().string().substr(0, 5); },
                     .item_tfms = {Brighten{}}});
    return block.dataloaders(to_items(paths), {.bs = 2, .shuffle = false, .cache = cache});
  }
};

std::vector<int> pixels(const DataLoader& dl, std::int64_t epoch) {
  std::vector<int> all;
  auto batches = dl.epoch(epoch);
  for (Batch batch; batches.next(batch);) {
    for (std::int64_t i = 0; i < batch.size(); ++i) all.push_back(batch.x[0][i].flatten()[0].item<int>());
  }
  return all;
}

}  // namespace

TEST(ItemCache, SecondEpochOpensNoFileAndEqualsTheUncachedOne) {
  const Files files;
  const auto plain = files.loaders(Cache::off);
  const auto first = pixels(plain.train(), 0), second = pixels(plain.train(), 1);
  for (const Cache mode : {Cache::memory, Cache::automatic}) {
    const auto dls = files.loaders(mode);
    *files.open.opened = 0;
    EXPECT_EQ(pixels(dls.train(), 0), first);
    EXPECT_EQ(*files.open.opened, 5);
    EXPECT_EQ(pixels(dls.train(), 1), second);
    EXPECT_EQ(*files.open.opened, 5);
  }
  EXPECT_NE(first, second) << "the draw must be made anew";
}

TEST(ItemCache, OffOpensEveryFileEachTime) {
  const Files files;
  const auto dls = files.loaders(Cache::off);
  *files.open.opened = 0;
  pixels(dls.train(), 0);
  pixels(dls.train(), 1);
  EXPECT_EQ(*files.open.opened, 10);
}

TEST(ItemCache, AChangedFileIsOpenedAgain) {
  const Files files;
  const auto dls = files.loaders(Cache::memory);
  const auto before = pixels(dls.valid(), 0);
  const fs::path last = files.paths.back();
  write_file(last, "zz");
  auto expected = before;
  expected.back() = 'z';
  EXPECT_EQ(pixels(dls.valid(), 1), expected);
}

TEST(ItemCache, DiskServesAnotherRunWithoutOpeningTheFiles) {
  TemporaryFolder home;
  const ScopedVariable here("KINDLING_HOME", home.path().string());
  const Files files;
  const auto first = pixels(files.loaders(Cache::disk).train(), 0);
  *files.open.opened = 0;
  const auto again = files.loaders(Cache::disk);
  EXPECT_EQ(pixels(again.train(), 0), first);
  EXPECT_EQ(*files.open.opened, 0);
}

TEST(ItemCache, DiskFileThatWasDamagedOrCutIsMadeAnew) {
  TemporaryFolder home;
  const ScopedVariable here("KINDLING_HOME", home.path().string());
  const Files files;
  const auto first = pixels(files.loaders(Cache::disk).valid(), 0);
  fs::path store;
  for (const auto& entry : fs::directory_iterator(home / "items")) {
    if (fs::file_size(entry) > 8) store = entry.path();
  }
  const Bytes whole = read_file(store);
  for (std::size_t at = 0; at < whole.size(); at += 5) {
    Bytes damaged = whole;
    damaged[at] ^= 0xff;
    write_file(store, damaged);
    EXPECT_EQ(pixels(files.loaders(Cache::disk).valid(), 0), first) << "byte " << at;
    write_file(store, std::span(whole).first(at));
    EXPECT_EQ(pixels(files.loaders(Cache::disk).valid(), 0), first) << "cut at " << at;
  }
}

TEST(ItemStore, ValuesComeBackAsTheyWere) {
  Image image({3, 2}, 3);
  for (std::size_t i = 0; i < image.bytes(); ++i) image.data()[i] = static_cast<std::uint8_t>(i);
  const Values values = {image,           Mask{image},       Category{"cat"},       CategoryIndex{7},
                         Categories{{"a", "b"}}, CategoryIndices{{1, 2}}, Number{0.5}, Numbers{{1, 2}},
                         Text{"grüße"},   Points{{{1, 2}}},  BBoxes{{{1, 2, 3, 4}}}, fs::path("a/b")};
  Bytes bytes;
  for (const Value& value : values) ASSERT_TRUE(append_value(bytes, value)) << describe(value);
  const auto back = read_values(bytes);
  ASSERT_TRUE(back);
  ASSERT_EQ(back->size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(describe((*back)[i]), describe(values[i]));
  const Image& pixels = std::get<Image>(back->front());
  EXPECT_EQ(std::memcmp(pixels.data(), image.data(), image.bytes()), 0);
  // Any cut is noticed.
  for (std::size_t n = 1; n < bytes.size(); ++n) {
    const auto cut = read_values(Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n)));
    EXPECT_TRUE(!cut || cut->size() < values.size());
  }
}

TEST(ItemStore, TensorsHaveNoForm) {
  Bytes bytes;
  EXPECT_FALSE(append_value(bytes, torch::ones({2})));
}

TEST(Bottleneck, NamesTheLongestStageWhereLoadingIsWaitedFor) {
  LoaderTimes times{.item_s = 10, .wait_s = 6, .workers = 2, .stages = {{"OpenImage", 7.1}, {"Resize", 2.9}}};
  EXPECT_EQ(bottleneck(times, 10),
            "loading-bound: waited 60 % of the time for data; OpenImage took 71 % of the loading");
  times.wait_s = 0.2;
  EXPECT_EQ(bottleneck(times, 10), "compute-bound: waited 2 % of the time for data");
}

}  // namespace kindling
