#pragma once
/// Foreign text (names of files, servers' answers) made safe for a terminal.

#include <string>
#include <string_view>

namespace kindling::detail {

enum class LineBreaks { keep, escape };

/// The text with control characters written as escapes, so that no file name can steer a terminal or forge a
/// line.
std::string printable(std::string_view text, LineBreaks breaks);

/// Characters (code points) of UTF-8 text; what a terminal shows in so many columns for most scripts.
std::size_t columns_of(std::string_view text);

/// The first `columns` characters.
std::string_view first_columns(std::string_view text, std::size_t columns);

}  // namespace kindling::detail
