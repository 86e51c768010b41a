#pragma once
/// Golden files: numbers that PyTorch, fastai or Pillow gave, made by the scripts in tests/golden/.

#include <kindling/core/files.hpp>
#include <kindling/core/json.hpp>

#include <string>
#include <vector>

#include <torch/types.h>

namespace kindling::testing {

inline Json golden(const std::string& name) {
  return parse_json(read_text(fs::path(KINDLING_SOURCE_DIR) / "tests/golden" / name), name);
}

/// {"shape": […], "values": […]} as float32.
inline torch::Tensor tensor_from(const Json& json) {
  return torch::tensor(json.at("values").get<std::vector<float>>())
      .reshape(json.at("shape").get<std::vector<std::int64_t>>());
}

}  // namespace kindling::testing
