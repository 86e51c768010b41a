#pragma once
/// The dtypes of the safetensors format that kindling reads and writes.

#include <optional>
#include <string_view>

#include <c10/core/ScalarType.h>

namespace kindling::detail {

/// "F32" of Float; empty for a dtype outside the table (docs/formats/safetensors.md).
std::string_view safetensors_name(c10::ScalarType dtype);
std::optional<c10::ScalarType> dtype_of_safetensors(std::string_view name);

}  // namespace kindling::detail
