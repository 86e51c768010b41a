#pragma once
/// What Python read from a file (tests/golden/make_weights.py), to compare with.

#include <kindling/core/error.hpp>
#include <kindling/core/files.hpp>
#include <kindling/core/json.hpp>
#include <kindling/nn/weights.hpp>

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/types.h>

namespace kindling::testing {

inline fs::path golden_file(const std::string& name) {
  return fs::path(KINDLING_SOURCE_DIR "/tests/golden/nn") / name;
}

inline std::string bytes_of(const fs::path& path) {
  return read_text(path);
}

inline std::span<const std::uint8_t> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string dtype_name(const torch::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case torch::kDouble:
      return "float64";
    case torch::kFloat:
      return "float32";
    case torch::kHalf:
      return "float16";
    case torch::kBFloat16:
      return "bfloat16";
    case torch::kLong:
      return "int64";
    case torch::kInt:
      return "int32";
    case torch::kShort:
      return "int16";
    case torch::kChar:
      return "int8";
    case torch::kByte:
      return "uint8";
    case torch::kBool:
      return "bool";
    default:
      return "other";
  }
}

inline std::string values_digest(const torch::Tensor& tensor) {
  const auto dense = tensor.contiguous();
  return sha256_of({static_cast<const std::uint8_t*>(dense.const_data_ptr()), dense.nbytes()});
}

/// Names, order, dtypes, shapes and every byte. `in_order` false: a reader of safetensors may list by name.
inline void expect_equal(const Weights& weights, const Json& rows, bool in_order = true) {
  ASSERT_EQ(weights.size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto name = rows[i][0].get<std::string>();
    SCOPED_TRACE(name);
    if (in_order) {
      EXPECT_EQ(weights.tensors()[i].first, name);
    }
    const auto& tensor = weights.at(name);
    EXPECT_EQ(dtype_name(tensor), rows[i][1].get<std::string>());
    EXPECT_EQ(tensor.sizes().vec(), rows[i][2].get<std::vector<std::int64_t>>());
    EXPECT_EQ(values_digest(tensor), rows[i][3].get<std::string>());
  }
}

inline Json golden_rows(const std::string& table, const std::string& file) {
  return parse_json(read_text(golden_file(table)), table).at(file);
}

}  // namespace kindling::testing
