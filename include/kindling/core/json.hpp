#pragma once
/// JSON values keep the order in which keys were set, so that files made twice are equal.

#include <filesystem>
#include <string_view>

#include <nlohmann/json.hpp>

// Compiled once, in the core layer: each unit that prints or reads JSON would else make the whole type again.
extern template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace kindling {

using Json = nlohmann::ordered_json;

/// Parses text; throws `Error` of `bad_data` naming `where`, the line and column. Text from outside is
/// bounded: nesting deeper than 256 levels and objects of more than about 16 000 keys are refused.
Json parse_json(std::string_view text, const std::string& where);

}  // namespace kindling
