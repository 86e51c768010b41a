#pragma once
/// Weights from bytes in memory, whatever their format.

#include <kindling/nn/weights.hpp>

namespace kindling::detail {

/// What `Weights::open` does with a file's bytes. `keep` keeps them alive for the tensors.
Weights read_weights(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> keep,
                     const std::string& where);

}  // namespace kindling::detail
