#include "vision/settings_json.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

namespace kindling::detail {

namespace {

constexpr std::array<std::string_view, 6> filters = {"nearest", "bilinear", "bicubic",
                                                     "lanczos", "box",      "hamming"};

}  // namespace

std::string resample_name(Resample filter) {
  return std::string(filters[static_cast<std::size_t>(filter)]);
}

Resample resample_from(const Json& json) {
  const auto found = std::find(filters.begin(), filters.end(), json.get<std::string>());
  if (found == filters.end()) {
    throw Error(ErrorCode::bad_model, "the model names a resize filter that is not known",
                {{"resample", json.dump()}});
  }
  return static_cast<Resample>(found - filters.begin());
}

void require_size(const char* transform, Size size) {
  if (size.width > 0 && size.height > 0) return;
  throw Error(ErrorCode::usage, fmt::format("{} needs a size of at least one pixel", transform),
              {{"width", size.width}, {"height", size.height}});
}

void require_range(const char* transform, const char* setting, double value, double low, double high) {
  if (value >= low && value <= high) return;
  throw Error(ErrorCode::usage, fmt::format("{} needs {} from {} to {}", transform, setting, low, high),
              {{setting, fmt::format("{}", value)}});
}

}  // namespace kindling::detail
