#pragma once
/// A data set described by its parts: where items come from, how they are split, what their members are.
///
///   auto bears = DataBlock({.blocks = {ImageBlock(), CategoryBlock()}, .get_items = get_image_files,
///                           .splitter = RandomSplitter(0.2, 42), .get_y = parent_label, .item_tfms =
///                           {Resize(128)}});
///   auto dls = bears.dataloaders("bears");

#include <kindling/data/block.hpp>
#include <kindling/data/dataloaders.hpp>

namespace kindling {

struct DataBlockOptions {
  std::vector<Block> blocks = {};
  GetItems get_items = {};
  Splitter splitter = RandomSplitter();
  Getter get_x = {};                 ///< of the inputs; left out: the item itself
  Getter get_y = {};                 ///< of the targets
  std::vector<Getter> getters = {};  ///< one a block, instead of get_x and get_y
  Transforms item_tfms = {};
  Transforms batch_tfms = {};
  std::optional<int> n_inp = std::nullopt;  ///< left out: all blocks but the last
};

class DataBlock {
 public:
  explicit DataBlock(DataBlockOptions options);

  /// Finds, splits and labels. Throws `not_found` without items, `bad_data` with an empty split.
  Datasets datasets(const fs::path& source) const;
  /// The same over items found elsewhere.
  Datasets datasets(Items items) const;
  DataLoaders dataloaders(const fs::path& source, const LoaderOptions& options = {}) const;
  DataLoaders dataloaders(Items items, const LoaderOptions& options = {}) const;

  struct Tfms {
    Transforms item_tfms = {};
    Transforms batch_tfms = {};
  };
  /// The same block with other transforms in place of the user's (fastai `new`).
  DataBlock with(Tfms tfms) const;

 private:
  Pipeline make_pipeline() const;
  DataBlockOptions options_;
};

}  // namespace kindling
