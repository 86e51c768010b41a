#pragma once
/// Batches of a data set, made by threads ahead of the consumer, always in the same order.

#include <kindling/data/pipeline.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace kindling {

/// Items by index, as raw members: what the blocks' transforms start from. `raw` is called from several
/// threads.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  virtual Values raw(std::int64_t index) const = 0;
  /// The item as the user gave it (a path), for messages and reports.
  virtual Value item(std::int64_t index) const = 0;
  /// Whether `raw` gives the same in every epoch, so that what is made of it may be kept.
  virtual bool repeatable() const { return false; }
};

/// Where the part of an item's work that is equal in every epoch (opening, decoding, resizing without a draw) is kept.
/// What is kept of a file is made anew when the file's size or time of change is another.
enum class Cache {
  off,
  memory,    ///< up to a quarter of the memory that was free at the start; items beyond it are made each time
  disk,      ///< in a file in kindling's cache folder, for later runs too; see docs/formats/item-cache.md
  automatic  ///< memory where all items fit into a quarter of the free memory, else off
};

class ItemCache;

struct DataLoaderOptions {
  int bs = 64;
  bool shuffle = false;
  /// With `shuffle`: each item of an epoch is drawn anew among all, so that some come twice and about 37 % not at all.
  bool replacement = false;
  bool drop_last = false;      ///< leave out a last batch that is not full
  int num_workers = -1;        ///< threads that make items; -1: one a core; 0: the caller's own
  int prefetch = 3;            ///< batches under way at most: the bound on memory
  std::uint64_t seed = 0;      ///< of shuffling and of every transform's draws
  Split split = Split::valid;  ///< which transforms act
  torch::Device device = torch::kCPU;
  Cache cache = Cache::off;
};

/// Time spent, summed over an epoch.
struct LoaderTimes {
  double item_s = 0;   ///< in workers, making and collating items
  double wait_s = 0;   ///< the consumer's, waiting for a batch
  double batch_s = 0;  ///< the consumer's, in batch transforms
  int workers = 0;     ///< threads that made items
  StageTimes stages;   ///< `item_s` by transform, and "collate"
};

/// One line on what an epoch of `seconds` waited for: "loading-bound: OpenImage 71 % of the loading", or
/// "compute-bound: waited 2 % of the time for data".
std::string bottleneck(const LoaderTimes& times, double seconds);

/// Handle; copies share data set and pipeline.
///
///   for (const Batch& batch : loader) …        // one epoch; the next loop is the next epoch, shuffled anew
class DataLoader {
 public:
  DataLoader() = default;
  DataLoader(std::shared_ptr<const Dataset> dataset, std::shared_ptr<const Pipeline> pipeline,
             DataLoaderOptions options = {});

  /// One running epoch. Destroying it stops the workers at once.
  class Epoch {
   public:
    Epoch(const DataLoader& loader, std::int64_t epoch, std::int64_t first_batch = 0);
    ~Epoch();
    Epoch(Epoch&&) noexcept;
    /// Fills the next batch's members and item indices; false at the end. An error of an item is thrown here,
    /// in the batch's turn, with the facts "item" and "path".
    bool next(Values& values, std::vector<std::int64_t>& items);
    bool next(Batch& batch);
    const LoaderTimes& times() const;

   private:
    struct State;
    std::unique_ptr<State> state_;
  };

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    explicit Iterator(std::shared_ptr<Epoch> epoch) : epoch_(std::move(epoch)) { ++*this; }
    const Batch& operator*() const { return batch_; }
    Iterator& operator++() {
      if (!epoch_->next(batch_)) epoch_.reset();
      return *this;
    }
    bool operator==(std::default_sentinel_t) const { return !epoch_; }

   private:
    std::shared_ptr<Epoch> epoch_;
    Batch batch_;
  };

  /// Begins the next epoch.
  Iterator begin() const;
  std::default_sentinel_t end() const { return {}; }
  /// Begins the epoch of that number: its order and draws depend on it and the seed alone. The batches before
  /// `first_batch` are left out without being made.
  Epoch epoch(std::int64_t number, std::int64_t first_batch = 0) const {
    return Epoch(*this, number, first_batch);
  }

  /// Batches an epoch.
  std::int64_t size() const;
  /// Items.
  std::int64_t n() const;
  /// The first batch of the next epoch. Throws `bad_data` when there is none (fewer items than a batch).
  Batch one_batch() const;
  /// Its members before the learner's split into x and y.
  Values one_batch_values() const;
  /// The same data with other options; what was kept of its items is shared where it is for the same split.
  DataLoader with(DataLoaderOptions options) const;

  /// Other data through the same pipeline.
  DataLoader with(std::shared_ptr<const Dataset> dataset, DataLoaderOptions options) const {
    return DataLoader(std::move(dataset), pipeline_, options);
  }

  const Dataset& dataset() const { return *dataset_; }
  const Pipeline& pipeline() const { return *pipeline_; }
  const DataLoaderOptions& options() const { return options_; }
  explicit operator bool() const { return static_cast<bool>(dataset_); }

 private:
  std::shared_ptr<const Dataset> dataset_;
  std::shared_ptr<const Pipeline> pipeline_;
  DataLoaderOptions options_;
  std::shared_ptr<std::int64_t> next_epoch_;
  std::shared_ptr<ItemCache> cache_;
};

}  // namespace kindling
