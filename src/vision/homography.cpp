#include "vision/homography.hpp"

#include <kindling/core/error.hpp>

#include <cmath>
#include <utility>

namespace kindling::detail {

namespace {

constexpr int unknowns = 8;
using System = std::array<std::array<double, unknowns + 1>, unknowns>;

[[noreturn]] void throw_singular() {
  throw Error(ErrorCode::usage, "these draws press a picture into a line", {},
              "keep zoom above 0 and the magnitude of a warp below 1");
}

/// Gauss' elimination with the largest pivot.
std::array<double, unknowns> solve(System a) {
  for (int column = 0; column < unknowns; ++column) {
    int pivot = column;
    for (int row = column + 1; row < unknowns; ++row) {
      if (std::abs(a[row][column]) > std::abs(a[pivot][column])) pivot = row;
    }
    if (std::abs(a[pivot][column]) < 1e-12) throw_singular();
    std::swap(a[pivot], a[column]);
    for (int row = 0; row < unknowns; ++row) {
      if (row == column) continue;
      const double factor = a[row][column] / a[column][column];
      for (int k = column; k <= unknowns; ++k) a[row][k] -= factor * a[column][k];
    }
  }
  std::array<double, unknowns> x{};
  for (int i = 0; i < unknowns; ++i) x[i] = a[i][unknowns] / a[i][i];
  return x;
}

}  // namespace

Matrix3 multiply(const Matrix3& a, const Matrix3& b) {
  Matrix3 product{};
  for (int row = 0; row < 3; ++row) {
    for (int column = 0; column < 3; ++column) {
      for (int k = 0; k < 3; ++k) product[3 * row + column] += a[3 * row + k] * b[3 * k + column];
    }
  }
  return product;
}

Matrix3 inverse(const Matrix3& a) {
  const Matrix3 adjugate = {a[4] * a[8] - a[5] * a[7], a[2] * a[7] - a[1] * a[8], a[1] * a[5] - a[2] * a[4],
                            a[5] * a[6] - a[3] * a[8], a[0] * a[8] - a[2] * a[6], a[2] * a[3] - a[0] * a[5],
                            a[3] * a[7] - a[4] * a[6], a[1] * a[6] - a[0] * a[7], a[0] * a[4] - a[1] * a[3]};
  const double determinant = a[0] * adjugate[0] + a[1] * adjugate[3] + a[2] * adjugate[6];
  if (!(std::abs(determinant) > 1e-12)) throw_singular();
  Matrix3 inverted = adjugate;
  for (double& value : inverted) value /= determinant;
  return inverted;
}

PlanePoint project(const Matrix3& a, PlanePoint p) {
  const double depth = a[6] * p[0] + a[7] * p[1] + a[8];
  return {(a[0] * p[0] + a[1] * p[1] + a[2]) / depth, (a[3] * p[0] + a[4] * p[1] + a[5]) / depth};
}

Matrix3 homography(const std::array<PlanePoint, 4>& from, const std::array<PlanePoint, 4>& to) {
  System a{};
  for (int i = 0; i < 4; ++i) {
    const auto [x, y] = from[i];
    const auto [u, v] = to[i];
    a[2 * i] = {x, y, 1, 0, 0, 0, -u * x, -u * y, u};
    a[2 * i + 1] = {0, 0, 0, x, y, 1, -v * x, -v * y, v};
  }
  const auto h = solve(a);
  return {h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], 1};
}

}  // namespace kindling::detail
