#pragma once
/// Text of CSV and its kin to a table.

#include <kindling/data/table.hpp>

#include <functional>
#include <string_view>

namespace kindling::detail {

/// `release` is told of each part of the text when its bytes are no longer looked at. Throws as `read_table`.
Table read_csv(std::string_view text, const fs::path& path, const TableOptions& options,
               const std::function<void(std::string_view)>& release);

}  // namespace kindling::detail
