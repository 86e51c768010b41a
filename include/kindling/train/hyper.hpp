#pragma once
/// A value for each parameter group, said the course's way: one number, `slice(a, b)`, or a list.

#include <cstddef>
#include <initializer_list>
#include <string>
#include <vector>

namespace kindling {

/// A hyper-parameter over the parameter groups (fastai `set_hyper`).
class Hyper {
 public:
  Hyper(double value) : values_{value} {}
  Hyper(std::initializer_list<double> values) : kind_(Kind::list), values_(values) {}
  explicit Hyper(std::vector<double> values) : kind_(Kind::list), values_(std::move(values)) {}

  /// One value a group. A number: the same for all. `slice(stop)`: stop / 10 for all but the last. `slice(a,
  /// b)`: even factors from a to b. A list must have one value a group; throws `usage` otherwise.
  std::vector<double> over(std::size_t groups) const;
  /// The value of the last group.
  double last() const { return values_.back(); }
  /// "0.001", "slice(1e-05, 0.001)", "[…]".
  std::string to_string() const;
  /// The same with every number multiplied.
  Hyper operator*(double factor) const;

 private:
  enum class Kind { number, slice_stop, slice, list };
  friend Hyper slice(double stop);
  friend Hyper slice(double start, double stop);
  Hyper(Kind kind, std::vector<double> values) : kind_(kind), values_(std::move(values)) {}
  Kind kind_ = Kind::number;
  std::vector<double> values_;
};

/// Last group `stop`, all before it a tenth of that.
Hyper slice(double stop);
/// From `start` for the first group to `stop` for the last, by even factors.
Hyper slice(double start, double stop);

}  // namespace kindling
