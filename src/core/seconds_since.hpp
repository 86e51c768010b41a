#pragma once
/// Wall time.

#include <chrono>

namespace kindling::detail {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace kindling::detail
