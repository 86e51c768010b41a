/// Any bytes as CSV: an Error, or a table. Read in slices of a few lines it is the same as read at once.
#include <kindling/core/error.hpp>

#include "data/read_csv.hpp"

#include <optional>
#include <string>

namespace {

using namespace kindling;

std::optional<std::string> read(std::string_view text, const TableOptions& options, std::size_t slice_bytes) {
  try {
    const Table table = kindling::detail::read_csv(text, "fuzz.csv", options, [](std::string_view) {}, slice_bytes);
    return table.describe() + table.to_csv();
  } catch (const Error&) {
    // What a hostile file deserves.
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const TableOptions options{.header = (data[0] & 1) != 0, .skipinitialspace = (data[0] & 2) != 0};
  if (read(text, options, text.size() + 1) != read(text, options, 1 + data[0] / 4)) __builtin_trap();
  return 0;
}
