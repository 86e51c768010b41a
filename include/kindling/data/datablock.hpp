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
  Getters get_x = {};                ///< of the inputs, one each; left out: the item itself
  Getters get_y = {};                ///< of the targets, one each
  std::vector<Getter> getters = {};  ///< one a block, instead of get_x and get_y
  Transforms item_tfms = {};
  Transforms batch_tfms = {};
  std::optional<int> n_inp = std::nullopt;  ///< left out: all blocks but the last
};

struct SummaryOptions {
  int bs = 4;  ///< items of the batch that is tried
};

/// What `DataBlock::summary` found: every step that an item takes.
class Summary {
 public:
  Summary(std::string text, bool ok) : text_(std::move(text)), ok_(ok) {}
  const std::string& text() const { return text_; }
  /// Whether a batch came out at the end; otherwise the text ends with what went wrong and what to do.
  bool ok() const { return ok_; }

 private:
  std::string text_;
  bool ok_;
};

class DataBlock {
 public:
  explicit DataBlock(DataBlockOptions options);

  /// Over columns side by side, of which `get_columns(source)` gives one a block; each block takes its own (fastai
  /// `from_columns`). Without the function the items are given to `datasets` or `dataloaders`: `zip_columns({xs, ys})`.
  static DataBlock from_columns(DataBlockOptions options,
                                std::function<std::vector<Items>(const fs::path&)> get_columns = {});

  /// Finds, splits and labels. Throws `not_found` without items, `bad_data` with an empty split.
  Datasets datasets(const fs::path& source) const;
  /// The same over items found elsewhere.
  Datasets datasets(Items items) const;
  DataLoaders dataloaders(const fs::path& source, const LoaderOptions& options = {}) const;
  DataLoaders dataloaders(Items items, const LoaderOptions& options = {}) const;
  /// Over the rows of a table.
  Datasets datasets(const Table& table) const { return datasets(rows_of(table)); }
  DataLoaders dataloaders(const Table& table, const LoaderOptions& options = {}) const {
    return dataloaders(rows_of(table), options);
  }

  /// Walks one training item through every step, with types, shapes and ranges of values, then a small batch, and
  /// explains what does not work, naming items. Throws nothing for bad data: the text says it.
  Summary summary(const fs::path& source, const SummaryOptions& options = {}) const;
  Summary summary(Items items, const SummaryOptions& options = {}) const;
  Summary summary(const Table& table, const SummaryOptions& options = {}) const {
    return summary(rows_of(table), options);
  }

  struct Tfms {
    Transforms item_tfms = {};
    Transforms batch_tfms = {};
  };
  /// The same block with other transforms in place of the user's (fastai `new`).
  DataBlock with(Tfms tfms) const;

 private:
  Pipeline make_pipeline() const;
  Items find_items(const fs::path& source) const;
  Splits split(const Items& items) const;
  DataBlockOptions options_;
};

}  // namespace kindling
