#pragma once
/// Loaders over rows that are in memory as the model takes them.

#include <kindling/tabular/data.hpp>

#include <memory>

namespace kindling::detail {

/// Classes, numbers and, where `encoder` has one, targets. Batches are cut by the thread that asks for them: a worker would cost
/// more than the work.
DataLoaders memory_loaders(std::shared_ptr<const Dataset> train, std::shared_ptr<const Dataset> valid,
                           std::shared_ptr<const TabularEncoder> encoder, const LoaderOptions& options);

}  // namespace kindling::detail
