#pragma once
/// `RandomSplitter` without an item for each of what may be many rows.

#include <kindling/data/splitters.hpp>

#include <cstdint>
#include <optional>

namespace kindling::detail {

Splits split_rows(std::int64_t n, double valid_pct, std::optional<std::uint64_t> seed);

}  // namespace kindling::detail
