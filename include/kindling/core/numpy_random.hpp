#pragma once
/// numpy's random stream, where results must equal a notebook's.

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

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
  /// Uniform in [0, most], as `shuffle` draws it.
  std::uint32_t interval(std::uint32_t most);
  /// `np.random.shuffle` of a list.
  void shuffle(std::vector<std::int64_t>& values);
  /// `np.random.permutation(n)`.
  std::vector<std::int64_t> permutation(std::int64_t n);
  /// `np.random.choice(values, n, replace=False)`.
  std::vector<std::int64_t> choice(const std::vector<std::int64_t>& values, std::int64_t n);

 private:
  std::mt19937 twister_;
  std::optional<double> spare_;  // the polar method makes two at a time
};

}  // namespace kindling
