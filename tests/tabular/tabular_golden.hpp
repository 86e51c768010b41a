#pragma once
/// What fastai made of tables (tests/golden/make_tabular.py), to compare with.

#include <kindling/tabular.hpp>

#include "golden.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <torch/types.h>

namespace kindling::testing {

inline fs::path tabular_file(const std::string& name) {
  return fs::path(KINDLING_SOURCE_DIR) / "tests/golden/tabular" / name;
}

inline void expect_near(double got, double want, double tolerance, const std::string& what) {
  EXPECT_NEAR(got, want, tolerance * std::max(1.0, std::abs(want))) << what;
}

inline void expect_codes(const torch::Tensor& got, const Json& want, const std::string& what) {
  ASSERT_EQ(got.size(0), static_cast<std::int64_t>(want.size())) << what;
  for (std::int64_t i = 0; i < got.size(0); ++i) {
    ASSERT_EQ(got.size(1), static_cast<std::int64_t>(want[i].size())) << what;
    for (std::int64_t j = 0; j < got.size(1); ++j)
      EXPECT_EQ(got[i][j].item<std::int64_t>(), want[i][j].get<std::int64_t>()) << what << " row " << i << " column " << j;
  }
}

inline void expect_numbers(const torch::Tensor& got, const Json& want, double tolerance, const std::string& what) {
  ASSERT_EQ(got.size(0), static_cast<std::int64_t>(want.size())) << what;
  for (std::int64_t i = 0; i < got.size(0); ++i) {
    for (std::int64_t j = 0; j < got.size(1); ++j) {
      if (want[i][j].is_null()) continue;
      expect_near(got[i][j].item<double>(), want[i][j].get<double>(), tolerance,
                  what + " row " + std::to_string(i) + " column " + std::to_string(j));
    }
  }
}

inline void expect_map(const std::map<std::string, double>& got, const Json& want, double tolerance,
                       const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (const auto& [name, value] : want.items()) expect_near(got.at(name), value.get<double>(), tolerance, what + " " + name);
}

}  // namespace kindling::testing
