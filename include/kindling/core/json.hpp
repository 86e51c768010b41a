#pragma once
/// JSON values keep the order in which keys were set, so that files made twice are equal.

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string_view>

namespace kindling {

using Json = nlohmann::ordered_json;

/// Parses text; throws `Error` of `bad_data` naming `where`, the line and column.
Json parse_json(std::string_view text, const std::string& where);

}  // namespace kindling
