#pragma once
/// Loops on torch's own threads.

#include <cstdint>
#include <functional>

namespace kindling::detail {

/// `body(begin, end)` of parts of at least `grain` turns, side by side: at::parallel_for, which runs serially in a unit that is not
/// compiled for torch's OpenMP.
void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace kindling::detail
