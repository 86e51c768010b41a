#pragma once
/// The user's own part of the weights registry.

#include <kindling/nn/registry.hpp>

namespace kindling::detail {

/// Names become file names in the cache: letters, digits, '.', '_' and '-', at most 100, and no '.' first.
bool is_plain_name(const std::string& name);

/// Writes an entry to `$KINDLING_HOME/registry.json`, in place of an older one of its name there.
void add_user_entry(const PretrainedEntry& entry);

}  // namespace kindling::detail
