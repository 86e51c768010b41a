#pragma once
/// Values as bytes, for the item cache.

#include <kindling/data/pipeline.hpp>

#include <optional>

namespace kindling {

/// Appends a value; false for kinds that have no form as bytes (tensors, rows, a user's own), and then `out` is of no
/// use.
bool append_value(Bytes& out, const Value& value);

/// The values that were appended one after the other; nothing when the bytes are not such.
std::optional<Values> read_values(const Bytes& bytes);

}  // namespace kindling
