#include <kindling/core/numpy_random.hpp>

#include <cmath>

namespace kindling {

double NumpyRandom::random() {
  const std::uint32_t high = twister_() >> 5;
  const std::uint32_t low = twister_() >> 6;
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

double NumpyRandom::normal(double loc, double scale) {
  if (spare_) {
    const double kept = *spare_;
    spare_.reset();
    return loc + scale * kept;
  }
  double x1, x2, square;
  do {
    x1 = 2 * random() - 1;
    x2 = 2 * random() - 1;
    square = x1 * x1 + x2 * x2;
  } while (square >= 1 || square == 0);
  const double factor = std::sqrt(-2 * std::log(square) / square);
  spare_ = factor * x1;
  return loc + scale * (factor * x2);
}

}  // namespace kindling
