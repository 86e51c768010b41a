#pragma once
// The weights and inputs that tests/golden/make_models.py computes as well, and comparison with the numbers
// it wrote.

#include <kindling/core/json.hpp>

#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <torch/nn.h>
#include <torch/utils.h>

namespace kindling::testing {

inline std::uint32_t fnv1a_32(const std::string& text) {
  std::uint32_t value = 0x811C9DC5u;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x01000193u;
  return value;
}

inline std::uint64_t fnv1a_64(const std::string& text) {
  std::uint64_t value = 0xCBF29CE484222325ull;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return value;
}

inline double formula_uniform(std::uint32_t seed, std::int64_t i) {
  auto x = static_cast<std::uint32_t>(static_cast<std::uint64_t>(i) * 2654435761u + seed);
  x = (x ^ (x >> 16)) * 0x7FEB352Du;
  x = (x ^ (x >> 15)) * 0x846CA68Bu;
  x ^= x >> 16;
  return static_cast<double>(x >> 8) / 16777216.0;
}

inline bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

inline torch::Tensor formula_tensor(const std::string& name, const std::vector<std::int64_t>& shape) {
  torch::Tensor out = torch::empty(shape);
  const std::uint32_t seed = fnv1a_32(name);
  const bool positive = ends_with(name, "running_var") || ends_with(name, "weight");
  const double fan_in = shape.size() < 2 ? 1.0 : static_cast<double>(out.numel() / shape[0]);
  float* values = out.data_ptr<float>();
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    const double u = formula_uniform(seed, i);
    double value = 0.2 * (2 * u - 1);
    if (shape.size() >= 2) {
      value = (2 * u - 1) * std::sqrt(6.0 / fan_in);
    } else if (positive) {
      value = 0.5 + u;
      if (name.find("layer") != std::string::npos && ends_with(name, "weight")) value *= 0.5;
    }
    values[i] = static_cast<float>(value);
  }
  return out;
}

inline torch::Tensor formula_image(std::int64_t n, std::int64_t height, std::int64_t width) {
  torch::Tensor out = torch::empty({n, 3, height, width});
  const std::uint32_t seed = fnv1a_32("image " + std::to_string(height) + " " + std::to_string(width));
  float* values = out.data_ptr<float>();
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    values[i] = static_cast<float>(4 * formula_uniform(seed, i) - 2);
  }
  return out;
}

/// Fills all parameters and buffers but the batch counters.
inline void fill_by_formula(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters()) {
    item.value().copy_(formula_tensor(item.key(), item.value().sizes().vec()));
  }
  for (auto& item : module.named_buffers()) {
    if (item.value().dim() > 0) item.value().copy_(formula_tensor(item.key(), item.value().sizes().vec()));
  }
}

inline Json golden(const std::string& name) {
  const std::string path = std::string(KINDLING_SOURCE_DIR) + "/tests/golden/nn/models_" + name + ".json";
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return Json::parse(text.str());
}

/// The first values within `tolerance`, and mean and norm within as much of the norm.
inline void expect_numbers(const torch::Tensor& got, const Json& want, double tolerance,
                           const std::string& what) {
  const torch::Tensor flat = got.detach().contiguous().flatten().to(torch::kDouble);
  std::int64_t i = 0;
  for (const auto& value : want.at("first")) {
    ASSERT_LT(i, flat.numel()) << what;
    EXPECT_NEAR(flat[i].item<double>(), value.get<double>(), tolerance) << what << ", element " << i;
    ++i;
  }
  const double norm = want.at("norm").get<double>();
  EXPECT_NEAR(flat.norm().item<double>(), norm, tolerance * std::max(1.0, norm)) << what;
  EXPECT_NEAR(flat.mean().item<double>(), want.at("mean").get<double>(), tolerance) << what;
}

}  // namespace kindling::testing
