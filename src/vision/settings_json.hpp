#pragma once
/// Settings that several transforms write to exports.

#include <kindling/core/error.hpp>
#include <kindling/core/json.hpp>
#include <kindling/vision/resample.hpp>

#include <string>

namespace kindling::detail {

/// "nearest", "bilinear" …
std::string resample_name(Resample filter);
/// Throws `bad_model` for a name that is not known.
Resample resample_from(const Json& json);

/// [height, width], as fastai says sizes.
inline Json size_to_json(Size size) {
  return {size.height, size.width};
}
inline Size size_from(const Json& json) {
  return {json.at(1).get<int>(), json.at(0).get<int>()};
}

/// Throws `usage` naming the transform unless the size has a pixel.
void require_size(const char* transform, Size size);
/// Throws `usage` naming the setting unless it is in [low, high].
void require_range(const char* transform, const char* setting, double value, double low, double high);

}  // namespace kindling::detail
