#pragma once
/// Numbers too small for a float's exponent.

#include <cfenv>

namespace kindling::detail {

/// While it lives, this thread, those it begins, and torch's compute threads (where `parallel_for` runs on them: in builds by
/// GCC) take denormal numbers for zero. The averaged gradients of embedding rows that are rarely used become such numbers, and
/// a step over them takes several times as long on processors that handle them by microcode (Intel's). Nothing that is learnt
/// depends on numbers below 1e-38.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  std::fenv_t before_;
};

}  // namespace kindling::detail
