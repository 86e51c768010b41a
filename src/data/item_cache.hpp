#pragma once
/// Keeps what the deterministic part of a pipeline makes of each item, from one epoch to the next.

#include "data/item_store.hpp"

#include <kindling/data/dataloader.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace kindling {

/// Called by several workers at once.
class ItemCache {
 public:
  ItemCache(Cache mode, std::int64_t n_items, const Pipeline& pipeline, Split split);
  /// What is kept of item number `index`, or `make()`, which is then kept where there is room. It holds as long as the
  /// files among its raw members keep their size and time of change.
  Values get(std::int64_t index, const Values& raw, const std::function<Values()>& make);

 private:
  struct Entry {
    Values values;
    FileStamps stamps;
    bool filled = false;
  };
  Values from_store(const Values& raw, const FileStamps& stamps, const std::function<Values()>& make);
  void keep(std::int64_t index, const Values& values, const FileStamps& stamps);

  Cache mode_;
  std::vector<Entry> entries_;
  std::mutex mutex_;
  std::size_t used_ = 0;   // bytes
  std::size_t limit_ = 0;  // bytes
  std::unique_ptr<ItemStore> store_;
};

}  // namespace kindling
