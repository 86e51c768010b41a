#pragma once
/// Columns of text: each cell by itself, or places in a dictionary where cells repeat.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/api.h>

namespace kindling::detail {

/// The places as Arrow reads them: int32.
std::shared_ptr<arrow::DataType> text_dictionary();
/// Whether it is text, with places of any size.
bool is_text(const arrow::DataType& type);
/// The text of a cell that is there.
std::string_view text_at(const arrow::Array& array, std::int64_t at);

/// The column with blanks before each text taken away; a text of `missing` after that is missing.
arrow::Result<std::shared_ptr<arrow::ChunkedArray>> without_leading_blanks(
    const std::shared_ptr<arrow::ChunkedArray>& column, const std::vector<std::string>& missing);

/// The column with places as small as its dictionary allows: of 100 texts a byte each.
arrow::Result<std::shared_ptr<arrow::ChunkedArray>> with_small_places(const std::shared_ptr<arrow::ChunkedArray>& column);

/// The chunks as one, or as they are where one cannot hold them (2 GB of text). All are of one type.
arrow::Result<std::shared_ptr<arrow::ChunkedArray>> one_chunk(arrow::ArrayVector chunks);

}  // namespace kindling::detail
