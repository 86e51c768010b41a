// kindling's side of the benchmarks of augmentation. Prints one JSON object on a line.
//
//   augment_bench batch PHOTOS         aug_transforms() on a batch of 64 photos at 224 px in memory: seconds a batch
//   augment_bench pipeline PHOTOS N    decode + RandomResizedCrop(224) + aug_transforms() of N photos, batches of 64:
//                                      images a second
#include <kindling/vision.hpp>

#include "measure.hpp"

#include <algorithm>
#include <iostream>

#include <fmt/format.h>

using namespace kindling;
using namespace bench;

namespace {

constexpr int side = 224, batch_size = 64;

/// `n` photos, evenly over the sorted list; peer_augment.py takes the same.
Paths some_photos(const fs::path& folder, std::size_t n) {
  const Paths all = get_image_files(folder);
  if (all.size() < n) throw Error(ErrorCode::usage, "there are too few photos", {{"path", folder}, {"photos", all.size()}});
  Paths some;
  for (std::size_t i = 0; i < n; ++i) some.push_back(all[i * all.size() / n]);
  return some;
}

int bench_batch(const fs::path& folder) {
  std::vector<Values> items;
  const Resize resize(side);
  for (const fs::path& path : some_photos(folder, batch_size)) {
    items.push_back({resize.encodes(open_image(path), {.split = Split::valid})});
  }
  Pipeline pipeline;
  pipeline.batch_tfms = {IntToFloatTensor{}};
  const Values batch = pipeline.encode_batch(collate(items), {}, torch::kCPU);
  pipeline.batch_tfms = aug_transforms();
  std::vector<double> seconds;
  for (int run = 0; run < 35; ++run) {
    const auto start = Clock::now();
    const Values augmented = pipeline.encode_batch(batch, {.split = Split::train, .seed = 42, .item = run}, torch::kCPU);
    if (run >= 5) seconds.push_back(seconds_since(start));
  }
  std::cout << Json{{"bench", "batch"}, {"seconds", median(seconds)}, {"all", seconds}}.dump() << "\n";
  return 0;
}

int bench_pipeline(const fs::path& folder, std::size_t n) {
  auto dls = ImageDataLoaders::from_path_func(
      folder, some_photos(folder, n), [](const fs::path&) { return "photo"; },
      {.valid_pct = 0.01, .seed = 42, .item_tfms = {RandomResizedCrop(side)}, .batch_tfms = aug_transforms(), .bs = batch_size});
  std::vector<double> rates;
  for (int run = 0; run < 6; ++run) {
    std::int64_t images = 0;
    const auto start = Clock::now();
    for (const Batch& batch : dls.train()) images += batch.size();
    // The first run warms the page cache.
    if (run > 0) rates.push_back(static_cast<double>(images) / seconds_since(start));
  }
  std::cout << Json{{"bench", "pipeline"}, {"images", n}, {"images_per_second", median(rates)}, {"all", rates}}.dump()
            << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() == 2 && args[0] == "batch") return bench_batch(args[1]);
  if (args.size() == 3 && args[0] == "pipeline") return bench_pipeline(args[1], std::stoul(args[2]));
  std::cerr << "usage: augment_bench batch PHOTOS | pipeline PHOTOS N\n";
  return 2;
} catch (const std::exception& e) {
  std::cerr << "augment_bench: " << e.what() << "\n";
  return 1;
}
