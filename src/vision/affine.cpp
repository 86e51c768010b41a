#include <kindling/core/error.hpp>
#include <kindling/vision/affine.hpp>

#include "vision/affine_json.hpp"
#include "vision/batch_draws.hpp"
#include "vision/homography.hpp"
#include "vision/sampling.hpp"
#include "vision/settings_json.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <torch/types.h>

namespace kindling {

namespace {

using detail::Matrix3;
using detail::masked_draw;

// What one step draws for one image.
struct Drawn {
  double value = 0, x = 0, y = 0;
};

Drawn draw_step(const FlipOptions& o, std::int64_t i, CounterRng& rng) {
  return {.value = masked_draw(o.draw, i, o.p, 0, rng, [](CounterRng&) { return 1.0; })};
}

Drawn draw_step(const DihedralOptions& o, std::int64_t i, CounterRng& rng) {
  return {.value = masked_draw(o.draw, i, o.p, 0, rng,
                               [](CounterRng& r) { return static_cast<double>(r.integer(0, 7)); })};
}

Drawn draw_step(const RotateOptions& o, std::int64_t i, CounterRng& rng) {
  return {.value = masked_draw(o.draw, i, o.p, 0, rng,
                               [&](CounterRng& r) { return r.uniform(-o.max_deg, o.max_deg); })};
}

Drawn draw_step(const ZoomOptions& o, std::int64_t i, CounterRng& rng) {
  const auto place = [](CounterRng& r) { return r.uniform(); };
  Drawn drawn;
  drawn.value = masked_draw(o.draw, i, o.p, 1, rng,
                            [&](CounterRng& r) { return r.uniform(o.min_zoom, o.max_zoom); });
  drawn.x = masked_draw(o.draw_x, i, 1, 0, rng, place);
  drawn.y = masked_draw(o.draw_y, i, 1, 0, rng, place);
  return drawn;
}

Drawn draw_step(const WarpOptions& o, std::int64_t i, CounterRng& rng) {
  const auto tilt = [&](CounterRng& r) { return r.uniform(-o.magnitude, o.magnitude); };
  Drawn drawn;
  drawn.x = masked_draw(o.draw_x, i, o.p, 0, rng, tilt);
  drawn.y = masked_draw(o.draw_y, i, o.p, 0, rng, tilt);
  return drawn;
}

// Matrices take places of the result to places of the source, x to the right and y down, in [-1, 1].

Matrix3 dihedral_matrix(double drawn) {
  static constexpr std::array<int, 8> xs = {1, -1, 1, -1, -1, 1, 1, -1}, ys = {1, 1, -1, 1, -1, -1, 1, -1};
  static constexpr std::array<bool, 8> exchanged = {false, false, false, true, false, true, true, true};
  const auto k = static_cast<std::size_t>(std::clamp(drawn, 0.0, 7.0));
  const double x = xs[k], y = ys[k];
  if (exchanged[k]) return {0, x, 0, y, 0, 0, 0, 0, 1};
  return {x, 0, 0, 0, y, 0, 0, 0, 1};
}

Matrix3 rotation(double degrees) {
  const double angle = degrees * std::numbers::pi / 180;
  return {std::cos(angle), std::sin(angle), 0, -std::sin(angle), std::cos(angle), 0, 0, 0, 1};
}

Matrix3 zooming(double zoom, double x, double y) {
  const double s = 1 / zoom;
  return {s, 0, (1 - s) * (2 * x - 1), 0, s, (1 - s) * (2 * y - 1), 0, 0, 1};
}

Matrix3 warping(double x, double y) {
  if (x == 0 && y == 0) return detail::identity3;
  return detail::homography({{{-1 - y, -1 - x}, {-1 + y, 1 + x}, {1 + y, -1 + x}, {1 - y, 1 - x}}},
                            {{{-1, -1}, {-1, 1}, {1, -1}, {1, 1}}});
}

Matrix3 matrix_of(const FlipOptions&, const Drawn& d) {
  return {1 - 2 * d.value, 0, 0, 0, 1, 0, 0, 0, 1};
}
Matrix3 matrix_of(const DihedralOptions&, const Drawn& d) {
  return dihedral_matrix(d.value);
}
Matrix3 matrix_of(const RotateOptions&, const Drawn& d) {
  return rotation(d.value);
}
Matrix3 matrix_of(const ZoomOptions&, const Drawn& d) {
  return zooming(d.value, d.x, d.y);
}
Matrix3 matrix_of(const WarpOptions&, const Drawn& d) {
  return warping(d.x, d.y);
}

Drawn at(const StepDraws& draws, std::size_t i) {
  const auto of = [i](const std::vector<double>& values) { return values.empty() ? 0 : values.at(i); };
  return {of(draws.value), of(draws.x), of(draws.y)};
}

/// One image's whole way: the affine steps multiplied in order, then the warps.
Matrix3 map_of(const std::vector<AffineStep>& steps, const AffineDraws& draws, std::size_t image, Size picture) {
  Matrix3 affine = detail::identity3, warps = detail::identity3;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const Matrix3 matrix =
        std::visit([&](const auto& step) { return matrix_of(step, at(draws[s], image)); }, steps[s]);
    if (std::holds_alternative<WarpOptions>(steps[s]))
      warps = detail::multiply(matrix, warps);
    else
      affine = detail::multiply(affine, matrix);
  }
  // Angles are those of a square picture.
  affine[1] *= static_cast<double>(picture.height) / picture.width;
  affine[3] *= static_cast<double>(picture.width) / picture.height;
  return detail::multiply(warps, affine);
}

std::vector<Matrix3> maps_of(const std::vector<AffineStep>& steps, const AffineDraws& draws, std::int64_t n,
                             Size picture) {
  if (draws.size() != steps.size()) {
    throw Error(ErrorCode::usage, "there must be draws for each step",
                {{"steps", steps.size()}, {"draws", draws.size()}});
  }
  for (const StepDraws& step : draws) {
    for (const auto* values : {&step.value, &step.x, &step.y}) {
      if (!values->empty() && static_cast<std::int64_t>(values->size()) < n) {
        throw Error(ErrorCode::usage, "there are fewer draws than images in the batch",
                    {{"draws", values->size()}, {"images", n}});
      }
    }
  }
  std::vector<Matrix3> maps;
  for (std::int64_t i = 0; i < n; ++i) maps.push_back(map_of(steps, draws, static_cast<std::size_t>(i), picture));
  return maps;
}

detail::Sampling sampling_of(const AffineOptions& options, std::int64_t height, std::int64_t width) {
  return {.to = options.size.value_or(Size{static_cast<int>(width), static_cast<int>(height)}),
          .mode = options.mode,
          .pad_mode = options.pad_mode,
          .align_corners = options.align_corners};
}

Size size_of(std::int64_t height, std::int64_t width) {
  return {static_cast<int>(width), static_cast<int>(height)};
}

void require_images(const torch::Tensor& images) {
  if (images.dim() == 4 && images.is_floating_point()) return;
  throw Error(ErrorCode::usage, "a batch of pictures to move is N x C x H x W of floats",
              {{"got", describe(Value(TensorImage{images}))}}, "put it behind IntToFloatTensor, which has order 10");
}

/// Points N x n x 2 the inverse way.
torch::Tensor moved_points(const torch::Tensor& points, const std::vector<Matrix3>& maps) {
  std::vector<float> values;
  for (const Matrix3& map : maps) {
    const Matrix3 back = detail::inverse(map);
    values.insert(values.end(), back.begin(), back.end());
  }
  auto matrices =
      torch::tensor(values).view({static_cast<std::int64_t>(maps.size()), 3, 3}).to(points.device());
  auto with_one = torch::cat({points, torch::ones_like(points.narrow(2, 0, 1))}, 2);
  auto moved = torch::matmul(with_one, matrices.transpose(1, 2));
  return moved.narrow(2, 0, 2) / moved.narrow(2, 2, 1);
}

std::vector<Matrix3> still(std::int64_t n) {
  return std::vector<Matrix3>(static_cast<std::size_t>(n), detail::identity3);
}

Size picture_or_square(const ItemContext& context) {
  return context.image_size.width > 0 ? context.image_size : Size{1, 1};
}

}  // namespace

AffineCoordTfm::AffineCoordTfm(std::vector<AffineStep> steps, AffineOptions options)
    : steps_(std::move(steps)), options_(options) {
  if (options_.size) detail::require_size("a transform of batches", *options_.size);
  for (const AffineStep& step : steps_) std::visit([](const auto& s) { detail::require_valid(s); }, step);
}

AffineDraws AffineCoordTfm::draw(std::int64_t n, const ItemContext& context) const {
  AffineDraws draws(steps_.size());
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    const auto keep = [&](const auto& step) {
      for (std::int64_t i = 0; i < n; ++i) {
        CounterRng rng = detail::batch_rng(context, s, step.batch ? -1 : i);
        const Drawn drawn = draw_step(step, i, rng);
        draws[s].value.push_back(drawn.value);
        draws[s].x.push_back(drawn.x);
        draws[s].y.push_back(drawn.y);
      }
    };
    std::visit(keep, steps_[s]);
  }
  return draws;
}

TensorImage AffineCoordTfm::apply(const TensorImage& images, const AffineDraws& draws) const {
  const auto& x = images.tensor;
  require_images(x);
  const auto maps = maps_of(steps_, draws, x.size(0), size_of(x.size(2), x.size(3)));
  return {detail::sample_images(x, maps, sampling_of(options_, x.size(2), x.size(3)))};
}

TensorMask AffineCoordTfm::apply(const TensorMask& masks, const AffineDraws& draws) const {
  const auto& x = masks.tensor;
  const auto maps = maps_of(steps_, draws, x.size(0), size_of(x.size(1), x.size(2)));
  return {detail::sample_masks(x, maps, sampling_of(options_, x.size(1), x.size(2)))};
}

TensorPoint AffineCoordTfm::apply(const TensorPoint& points, const AffineDraws& draws, Size picture) const {
  return {moved_points(points.tensor, maps_of(steps_, draws, points.tensor.size(0), picture))};
}

TensorBBox AffineCoordTfm::apply(const TensorBBox& boxes, const AffineDraws& draws, Size picture) const {
  const auto& x = boxes.tensor;
  const auto n = x.size(0), count = x.size(1);
  if (count == 0) return boxes;
  // left, top, right, bottom to the four corners.
  auto corners = x.index_select(2, torch::tensor({0, 1, 0, 3, 2, 1, 2, 3}, x.options().dtype(torch::kInt64)))
                     .view({n, 4 * count, 2});
  auto moved = moved_points(corners, maps_of(steps_, draws, n, picture)).view({n, count, 4, 2});
  auto bounds = torch::cat({moved.amin(2), moved.amax(2)}, 2);
  // Rows of zeros fill up shorter lists and stay zeros.
  return {torch::where((x == 0).all(2, true), x, bounds)};
}

TensorImage AffineCoordTfm::encodes(const TensorImage& images, const ItemContext& context) const {
  const auto& x = images.tensor;
  if (context.split == Split::train) return apply(images, draw(x.size(0), context));
  require_images(x);
  const auto sampling = sampling_of(options_, x.size(2), x.size(3));
  if (sampling.to == size_of(x.size(2), x.size(3))) return images;
  return {detail::sample_images(x, still(x.size(0)), sampling)};
}

TensorMask AffineCoordTfm::encodes(const TensorMask& masks, const ItemContext& context) const {
  const auto& x = masks.tensor;
  if (context.split == Split::train) return apply(masks, draw(x.size(0), context));
  const auto sampling = sampling_of(options_, x.size(1), x.size(2));
  if (sampling.to == size_of(x.size(1), x.size(2))) return masks;
  return {detail::sample_masks(x, still(x.size(0)), sampling)};
}

TensorPoint AffineCoordTfm::encodes(const TensorPoint& points, const ItemContext& context) const {
  if (context.split == Split::valid) return points;
  return apply(points, draw(points.tensor.size(0), context), picture_or_square(context));
}

TensorBBox AffineCoordTfm::encodes(const TensorBBox& boxes, const ItemContext& context) const {
  if (context.split == Split::valid) return boxes;
  return apply(boxes, draw(boxes.tensor.size(0), context), picture_or_square(context));
}

void AffineCoordTfm::compose(const AffineCoordTfm& other) {
  steps_.insert(steps_.end(), other.steps_.begin(), other.steps_.end());
}

Json AffineCoordTfm::to_json() const {
  Json json = detail::options_to_json(options_);
  json["steps"] = Json::array();
  for (const AffineStep& step : steps_) {
    json["steps"].push_back(std::visit([](const auto& s) { return detail::step_to_json(s); }, step));
  }
  return json;
}

AffineCoordTfm AffineCoordTfm::from_json(const Json& json) {
  std::vector<AffineStep> steps;
  for (const Json& step : json.at("steps")) steps.push_back(detail::affine_step_from(step));
  return AffineCoordTfm(std::move(steps), detail::affine_options_from(json));
}

}  // namespace kindling
