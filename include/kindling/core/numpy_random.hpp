#pragma once
/// numpy's random stream, where results must equal a notebook's.

#include <cstdint>
#include <optional>
#include <random>

namespace kindling {

/// `np.random.seed(seed)` and what follows it (numpy's `RandomState`, whose stream never changes): the same
/// Mersenne Twister, uniform numbers of 53 bits, normal ones by the polar method (Marsaglia and Bray 1964).
class NumpyRandom {
 public:
  explicit NumpyRandom(std::uint32_t seed) : twister_(seed) {}
  /// `np.random.rand()`: uniform in [0, 1).
  double random();
  /// `np.random.uniform(low, high)`.
  double uniform(double low, double high) { return low + (high - low) * random(); }
  /// `np.random.normal(loc, scale)`.
  double normal(double loc = 0, double scale = 1);

 private:
  std::mt19937 twister_;
  std::optional<double> spare_;  // the polar method makes two at a time
};

}  // namespace kindling
