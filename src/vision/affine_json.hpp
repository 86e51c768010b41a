#pragma once
/// The settings of movements: their limits, and their form in exports.

#include <kindling/vision/affine.hpp>

namespace kindling::detail {

/// Throw `usage` naming the setting that cannot be.
void require_valid(const FlipOptions& options);
void require_valid(const DihedralOptions& options);
void require_valid(const RotateOptions& options);
void require_valid(const ZoomOptions& options);
void require_valid(const WarpOptions& options);

Json step_to_json(const FlipOptions& options);
Json step_to_json(const DihedralOptions& options);
Json step_to_json(const RotateOptions& options);
Json step_to_json(const ZoomOptions& options);
Json step_to_json(const WarpOptions& options);
/// Throws `bad_model` for a step that is not known.
AffineStep affine_step_from(const Json& json);

Json options_to_json(const AffineOptions& options);
AffineOptions affine_options_from(const Json& json);

std::string interpolation_name(Interpolation mode);
Interpolation interpolation_from(const Json& json);

}  // namespace kindling::detail
