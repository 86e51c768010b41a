#pragma once
/// Two numbers whose distance from the centre decides: what a linear model cannot learn.

#include <kindling/data/table.hpp>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace kindling::testing {

/// Columns "a", "b", "c" (20 texts that say nothing), "ring" ("in", "out") and "r" (the distance squared).
inline Table rings(std::int64_t n) {
  std::vector<double> a, b, y;
  std::vector<std::string> c, ring;
  for (std::int64_t i = 0; i < n; ++i) {
    a.push_back(std::sin(static_cast<double>(i) * 1.7) * 2);
    b.push_back(std::cos(static_cast<double>(i) * 2.3) * 2);
    c.push_back("c" + std::to_string(i % 20));
    const double r = a.back() * a.back() + b.back() * b.back();
    ring.push_back(r < 2 || r > 5 ? "out" : "in");
    y.push_back(r);
  }
  return Table({{"a", a}, {"b", b}, {"c", c}, {"ring", ring}, {"r", y}});
}

}  // namespace kindling::testing
