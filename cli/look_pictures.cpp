#include <kindling/core/random.hpp>
#include <kindling/vision.hpp>

#include "cli/look_pictures.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include <fmt/format.h>

namespace kindling::cli {

namespace {

constexpr int cell_side = 224;

/// A cell's photo need not be decoded larger than twice the cell.
int cell_reduction(Size size) {
  int by = 1;
  while (by < 8 && std::max(size.width, size.height) / (2 * by) >= 2 * cell_side) by *= 2;
  return by;
}

GridCell cell_of(const Photo& photo, const SheetOptions& o) {
  return {open_image(photo.path, {.exif_orientation = o.exif_orientation, .reduction = cell_reduction}), photo.label};
}

Image blank_paper() {
  Image paper({64, 64}, 1);
  std::memset(paper.data(), 0xff, paper.bytes());
  return paper;
}

/// Photos of the split by their class, each class in random order.
std::map<std::string, std::vector<std::int64_t>> shuffled_classes(const PhotoSet& set, const SheetOptions& o) {
  const bool train = o.split == "train";
  const auto& from = train ? set.splits.train : set.splits.valid;
  if (from.empty()) {
    throw Error(ErrorCode::bad_data, "there are no photos in this split", {{"--split", o.split}},
                std::string("look at the other one with --split ") + (train ? "valid" : "train"));
  }
  if (const auto classes = set.classes();
      !o.only_class.empty() && std::ranges::find(classes, o.only_class) == classes.end()) {
    throw Error(ErrorCode::usage, "there is no such class", {{"--class", o.only_class}, {"classes", classes.size()}},
                "the table of `kindling look` names the classes" + did_you_mean(o.only_class, classes));
  }
  CounterRng rng(o.seed);
  std::map<std::string, std::vector<std::int64_t>> by_class;
  for (std::int64_t at : permutation(static_cast<std::int64_t>(from.size()), rng)) {
    const std::string& label = set.photos[from[at]].label;
    if (o.only_class.empty() || label == o.only_class) by_class[label].push_back(from[at]);
  }
  if (by_class.empty()) {
    throw Error(ErrorCode::bad_data, "the class has no photos in this split",
                {{"--class", o.only_class}, {"--split", o.split}});
  }
  return by_class;
}

/// Makes pictures of one photo through a pipeline of its own.
class PhotoLab {
 public:
  PhotoLab(const fs::path& photo, std::uint64_t seed, bool exif_orientation) : photo_(photo), seed_(seed) {
    detail::register_vision();
    block_ = ImageBlock({.exif_orientation = exif_orientation});
  }

  /// The photo through item and batch transforms, as in that epoch of training.
  Image make(const Transforms& item_tfms, const Transforms& batch_tfms, std::int64_t epoch) const {
    const Pipeline pipeline{.blocks = {block_.type_tfms},
                            .item_tfms = item_tfms,
                            .batch_tfms = merge_transforms(block_.batch_tfms, batch_tfms)};
    const ItemContext context{.split = Split::train, .seed = seed_, .epoch = epoch};
    const Values batch = collate({pipeline.encode_item({photo_}, context)});
    const auto items = pipeline.decode_batch(pipeline.encode_batch(batch, context, torch::kCPU));
    return std::get<Image>(items.front().front());
  }

 private:
  fs::path photo_;
  std::uint64_t seed_;
  Block block_;
};

}  // namespace

Picture contact_sheet(const PhotoSet& set, const SheetOptions& o) {
  const auto by_class = shuffled_classes(set, o);
  const auto wanted = static_cast<std::size_t>(o.max_n);
  std::vector<GridCell> cells;
  for (std::size_t round = 0; cells.size() < wanted; ++round) {
    const std::size_t before = cells.size();
    for (const auto& [label, photos] : by_class) {
      if (round < photos.size() && cells.size() < wanted) cells.push_back(cell_of(set.photos[photos[round]], o));
    }
    if (cells.size() == before) break;
  }
  return draw_grid(cells, {.cell = cell_side});
}

Picture class_rows(const PhotoSet& set, const SheetOptions& o) {
  std::vector<GridCell> cells;
  for (const auto& [label, photos] : shuffled_classes(set, o)) {
    for (int at = 0; at < o.max_n; ++at) {
      const auto i = static_cast<std::size_t>(at);
      // A class with fewer photos leaves the rest of its row empty.
      cells.push_back(i < photos.size() ? cell_of(set.photos[photos[i]], o) : GridCell{blank_paper()});
    }
  }
  return draw_grid(cells, {.columns = o.max_n, .cell = cell_side});
}

Picture augmented(const fs::path& photo, int size, int n, std::uint64_t seed, bool exif_orientation) {
  const PhotoLab lab(photo, seed, exif_orientation);
  std::vector<GridCell> cells = {{open_image(photo, {.exif_orientation = exif_orientation, .reduction = cell_reduction}), "the photo"}};
  for (int epoch = 0; epoch < n; ++epoch)
    cells.push_back({lab.make({Resize(size)}, aug_transforms(), epoch), fmt::format("epoch {}", epoch)});
  return draw_grid(cells, {.cell = cell_side});
}

Picture resize_methods(const fs::path& photo, int size, std::uint64_t seed, bool exif_orientation) {
  const PhotoLab lab(photo, seed, exif_orientation);
  const auto padded = [&](PadMode mode) {
    return lab.make({Resize(size, {.method = ResizeMethod::pad, .pad_mode = mode})}, {}, 0);
  };
  std::vector<GridCell> cells = {{lab.make({Resize(size)}, {}, 0), "crop (the default)"},
                                 {lab.make({Resize(size, {.method = ResizeMethod::squish})}, {}, 0), "squish"},
                                 {padded(PadMode::zeros), "pad with zeros"},
                                 {padded(PadMode::border), "pad with the border"},
                                 {padded(PadMode::reflection), "pad with reflection"}};
  for (int epoch = 0; epoch < 3; ++epoch) {
    cells.push_back({lab.make({RandomResizedCrop(size, {.min_scale = 0.35})}, {}, epoch),
                     fmt::format("random crop, epoch {}", epoch)});
  }
  return draw_grid(cells, {.columns = 4, .cell = cell_side});
}

}  // namespace kindling::cli
