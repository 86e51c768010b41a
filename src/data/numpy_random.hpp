#pragma once
/// NumPy's RandomState as far as scikit-learn's splits use it, and those splits.

#include <kindling/data/splitters.hpp>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace kindling::detail {

/// `numpy.random.RandomState(seed)`.
class NumpyRandom {
 public:
  explicit NumpyRandom(std::uint32_t seed) : twister_(seed) {}
  /// Uniform in [0, most].
  std::uint32_t interval(std::uint32_t most);
  /// `shuffle` of a list.
  void shuffle(std::vector<std::int64_t>& values);
  /// `permutation(n)`.
  std::vector<std::int64_t> permutation(std::int64_t n);
  /// `choice(values, n, replace=False)`.
  std::vector<std::int64_t> choice(const std::vector<std::int64_t>& values, std::int64_t n);

 private:
  std::mt19937 twister_;
};

/// scikit-learn's `StratifiedShuffleSplit`: each class has its part on both sides.
Splits stratified_split(const std::vector<std::string>& classes, std::int64_t n_train, std::int64_t n_test,
                        NumpyRandom& random);

}  // namespace kindling::detail
