#include "nn/parallel_for.hpp"

#include <ATen/Parallel.h>

namespace kindling {

void detail::parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                          const std::function<void(std::int64_t, std::int64_t)>& body) {
  at::parallel_for(begin, end, grain, body);
}

}  // namespace kindling
