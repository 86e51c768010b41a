#pragma once
/// A loader's rows in one batch.

#include <kindling/data/dataloader.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace kindling::detail {

/// In order, on the CPU; no more than `most`.
inline Batch all_rows(const DataLoader& dl, std::int64_t most = std::numeric_limits<int>::max()) {
  DataLoaderOptions whole = dl.options();
  whole.shuffle = whole.replacement = whole.drop_last = false;
  whole.device = torch::kCPU;
  whole.bs = static_cast<int>(std::clamp<std::int64_t>(dl.n(), 1, most));
  return dl.with(whole).one_batch();
}

}  // namespace kindling::detail
