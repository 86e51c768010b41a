#pragma once
/// One pass over many photos: on threads, with progress, and stopped when that is wished for.

#include <kindling/core/listener.hpp>

#include <cstddef>
#include <functional>
#include <string>

namespace kindling::detail {

/// Runs `work(i)` for each of `n` photos on `threads` threads (0: one a core) and tells the listener how far
/// it is. Throws what `work` throws, and `interrupted` when that was requested.
void for_each_photo(std::size_t n, int threads, Listener& listener, const std::string& what,
                    const std::function<void(std::size_t)>& work);

}  // namespace kindling::detail
