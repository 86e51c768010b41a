#pragma once
/// scikit-learn's stratified split.

#include <kindling/core/numpy_random.hpp>
#include <kindling/data/splitters.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace kindling::detail {

/// scikit-learn's `StratifiedShuffleSplit`: each class has its part on both sides.
Splits stratified_split(const std::vector<std::string>& classes, std::int64_t n_train, std::int64_t n_test,
                        NumpyRandom& random);

}  // namespace kindling::detail
