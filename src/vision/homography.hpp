#pragma once
/// Projective maps of the plane, as 3 x 3 matrices row by row: (x, y) goes to (r0 / r2, r1 / r2).

#include <array>

namespace kindling::detail {

using Matrix3 = std::array<double, 9>;
using PlanePoint = std::array<double, 2>;

constexpr Matrix3 identity3 = {1, 0, 0, 0, 1, 0, 0, 0, 1};

/// First `b`, then `a`.
Matrix3 multiply(const Matrix3& a, const Matrix3& b);
/// Up to a factor, which a projective map does not feel. Throws `usage` for a map that cannot be undone.
Matrix3 inverse(const Matrix3& a);
PlanePoint project(const Matrix3& a, PlanePoint p);
/// The map that takes four points to four others.
Matrix3 homography(const std::array<PlanePoint, 4>& from, const std::array<PlanePoint, 4>& to);

}  // namespace kindling::detail
