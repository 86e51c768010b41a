#pragma once
/// Text of CSV and its kin to a table.

#include <kindling/data/table.hpp>

#include <functional>
#include <string_view>

namespace kindling::detail {

/// `release` is told of each part of the text when its bytes are no longer looked at. Cores read slices of `slice_bytes`; 0: as
/// large as the text suggests. Throws as `read_table`.
Table read_csv(std::string_view text, const fs::path& path, const TableOptions& options,
               const std::function<void(std::string_view)>& release, std::size_t slice_bytes = 0);

}  // namespace kindling::detail
