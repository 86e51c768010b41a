#include <kindling/core/numpy_random.hpp>

#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

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

std::uint32_t NumpyRandom::interval(std::uint32_t most) {
  if (most == 0) return 0;
  const std::uint32_t mask = ~std::uint32_t{0} >> std::countl_zero(most);
  while (true) {
    const std::uint32_t value = static_cast<std::uint32_t>(twister_()) & mask;
    if (value <= most) return value;
  }
}

void NumpyRandom::shuffle(std::vector<std::int64_t>& values) {
  for (std::size_t i = values.size(); i > 1; --i)
    std::swap(values[i - 1], values[interval(static_cast<std::uint32_t>(i - 1))]);
}

std::vector<std::int64_t> NumpyRandom::permutation(std::int64_t n) {
  std::vector<std::int64_t> values(n);
  std::iota(values.begin(), values.end(), 0);
  shuffle(values);
  return values;
}

std::vector<std::int64_t> NumpyRandom::choice(const std::vector<std::int64_t>& values, std::int64_t n) {
  std::vector<std::int64_t> chosen;
  const auto order = permutation(static_cast<std::int64_t>(values.size()));
  for (std::int64_t i = 0; i < n; ++i) chosen.push_back(values[order[i]]);
  return chosen;
}

}  // namespace kindling
