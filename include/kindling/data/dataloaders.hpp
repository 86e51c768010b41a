#pragma once
/// The two loaders that a learner takes, and what it must know of the data.

#include <kindling/data/dataloader.hpp>
#include <kindling/data/device.hpp>
#include <kindling/data/labels.hpp>
#include <kindling/data/picture.hpp>
#include <kindling/data/splitters.hpp>

#include <optional>
#include <string>

namespace kindling {

/// Options of every factory, with fastai's names and defaults.
struct LoaderOptions {
  int bs = 64;
  std::optional<int> val_bs = std::nullopt;  ///< bs where not given
  bool shuffle = true;      ///< of the training items; a last batch that is not full is then left out
  bool replacement = false; ///< training items are drawn with replacement
  int num_workers = -1;     ///< threads; -1: one a core
  std::uint64_t seed = 42;  ///< of shuffling and random transforms
  torch::Device device = default_device();
  Cache cache = Cache::automatic;
};

/// Items with their getters and splits: what a `DataBlock` finds before batches are made.
class Datasets {
 public:
  Datasets(Items items, std::vector<Getter> getters, Splits splits, Pipeline pipeline);

  const Items& items() const;
  const Splits& splits() const;
  std::shared_ptr<const Dataset> train() const;
  std::shared_ptr<const Dataset> valid() const;
  const Pipeline& pipeline() const;
  std::shared_ptr<Pipeline> shared_pipeline() const;
  /// A data set of other items, with inputs and labels by the same getters.
  std::shared_ptr<const Dataset> labelled(Items items) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

struct ShowBatchOptions {
  int max_n = 9;
  int nrows = 0;        ///< 0: fastai's grid
  bool unique = false;  ///< one item, drawn again and again with new random transforms
  Split split = Split::train;
  int cell = 224;  ///< side of a cell in pixels
};

/// Handle; copies share everything.
class DataLoaders {
 public:
  DataLoaders() = default;
  DataLoaders(DataLoader train, DataLoader valid) : train_(std::move(train)), valid_(std::move(valid)) {}
  /// The same over loaders of `pipeline`, which new items go through too.
  DataLoaders(DataLoader train, DataLoader valid, std::shared_ptr<Pipeline> pipeline)
      : train_(std::move(train)), valid_(std::move(valid)), pipeline_(std::move(pipeline)) {}
  DataLoaders(const Datasets& datasets, const LoaderOptions& options);
  /// Without data of its own: for new items through a finished pipeline.
  explicit DataLoaders(Pipeline pipeline);

  const DataLoader& train() const { return train_; }
  const DataLoader& valid() const { return valid_; }
  /// 0: train, 1: valid.
  const DataLoader& operator[](int index) const { return index == 0 ? train_ : valid_; }
  const Pipeline& pipeline() const { return train_.pipeline(); }
  torch::Device device() const { return train_.options().device; }

  /// Class names of the target.
  std::vector<std::string> vocab() const { return pipeline().vocab(); }
  /// Outputs that a model needs for the target: classes, or numbers.
  int c() const { return pipeline().c(); }
  int n_inp() const { return pipeline().n_inp; }

  /// Merges transforms into the batch pipeline of both loaders.
  void add_batch_tfms(const Transforms& batch_tfms);
  /// A loader of new items through the validation transforms, not shuffled. Labels are made where
  /// `with_labels`.
  DataLoader test_dl(Items items, bool with_labels = false) const;
  DataLoader test_dl(const Paths& paths, bool with_labels = false) const {
    return test_dl(to_items(paths), with_labels);
  }
  /// A batch as a person sees it: decoded pictures with their labels, masks, points and boxes; items without a picture as
  /// a table.
  Picture show_batch(const ShowBatchOptions& options = {}) const;
  /// The same as a table of text, a line an item.
  std::string batch_table(const ShowBatchOptions& options = {}) const;

 private:
  DataLoader train_, valid_;
  std::shared_ptr<Pipeline> pipeline_;
  std::optional<Datasets> datasets_;
};

/// A decoded item as a cell of a picture: its first picture, captioned with its labels and numbers.
GridCell to_cell(const Values& decoded_item);

}  // namespace kindling
