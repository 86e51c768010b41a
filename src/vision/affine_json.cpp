#include "vision/affine_json.hpp"

#include "vision/settings_json.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace kindling::detail {

namespace {

constexpr std::array<std::string_view, 3> modes = {"bilinear", "nearest", "bicubic"};

void require_probability(const char* step, double p) {
  require_range(step, "p", p, 0, 1);
}

void require_given(const char* step, const char* setting, const GivenDraws& draws, double low, double high) {
  for (const double draw : draws) require_range(step, setting, draw, low, high);
}

constexpr double largest_zoom = 1e4;
/// A warp of 1 moves a corner onto its neighbour.
constexpr double largest_warp = 0.99;

}  // namespace

void require_valid(const FlipOptions& o) {
  require_probability("Flip", o.p);
  require_given("Flip", "draw", o.draw, 0, 1);
}

void require_valid(const DihedralOptions& o) {
  require_probability("Dihedral", o.p);
  require_given("Dihedral", "draw", o.draw, 0, 7);
}

void require_valid(const RotateOptions& o) {
  require_probability("Rotate", o.p);
  require_range("Rotate", "max_deg", o.max_deg, 0, 360);
  require_given("Rotate", "draw", o.draw, -360, 360);
}

void require_valid(const ZoomOptions& o) {
  require_probability("Zoom", o.p);
  require_range("Zoom", "max_zoom", o.max_zoom, 1 / largest_zoom, largest_zoom);
  require_range("Zoom", "min_zoom", o.min_zoom, 1 / largest_zoom, o.max_zoom);
  require_given("Zoom", "draw", o.draw, 1 / largest_zoom, largest_zoom);
  require_given("Zoom", "draw_x", o.draw_x, 0, 1);
  require_given("Zoom", "draw_y", o.draw_y, 0, 1);
}

void require_valid(const WarpOptions& o) {
  require_probability("Warp", o.p);
  require_range("Warp", "magnitude", o.magnitude, 0, largest_warp);
  require_given("Warp", "draw_x", o.draw_x, -largest_warp, largest_warp);
  require_given("Warp", "draw_y", o.draw_y, -largest_warp, largest_warp);
}

Json step_to_json(const FlipOptions& o) {
  return {{"step", "flip"}, {"p", o.p}, {"draw", o.draw}, {"batch", o.batch}};
}

Json step_to_json(const DihedralOptions& o) {
  return {{"step", "dihedral"}, {"p", o.p}, {"draw", o.draw}, {"batch", o.batch}};
}

Json step_to_json(const RotateOptions& o) {
  return {{"step", "rotate"}, {"max_deg", o.max_deg}, {"p", o.p}, {"draw", o.draw}, {"batch", o.batch}};
}

Json step_to_json(const ZoomOptions& o) {
  return {{"step", "zoom"},     {"min_zoom", o.min_zoom}, {"max_zoom", o.max_zoom}, {"p", o.p},
          {"draw", o.draw},     {"draw_x", o.draw_x},     {"draw_y", o.draw_y},     {"batch", o.batch}};
}

Json step_to_json(const WarpOptions& o) {
  return {{"step", "warp"},     {"magnitude", o.magnitude}, {"p", o.p},
          {"draw_x", o.draw_x}, {"draw_y", o.draw_y},       {"batch", o.batch}};
}

AffineStep affine_step_from(const Json& j) {
  const auto step = j.at("step").get<std::string>();
  const auto given = [&](const char* key) { return j.at(key).get<GivenDraws>(); };
  const auto p = j.at("p").get<double>();
  const auto batch = j.at("batch").get<bool>();
  if (step == "flip") return FlipOptions{.p = p, .draw = given("draw"), .batch = batch};
  if (step == "dihedral") return DihedralOptions{.p = p, .draw = given("draw"), .batch = batch};
  if (step == "rotate") {
    return RotateOptions{.max_deg = j.at("max_deg").get<double>(), .p = p, .draw = given("draw"), .batch = batch};
  }
  if (step == "zoom") {
    return ZoomOptions{.min_zoom = j.at("min_zoom").get<double>(),
                       .max_zoom = j.at("max_zoom").get<double>(),
                       .p = p,
                       .draw = given("draw"),
                       .draw_x = given("draw_x"),
                       .draw_y = given("draw_y"),
                       .batch = batch};
  }
  if (step == "warp") {
    return WarpOptions{.magnitude = j.at("magnitude").get<double>(),
                       .p = p,
                       .draw_x = given("draw_x"),
                       .draw_y = given("draw_y"),
                       .batch = batch};
  }
  throw Error(ErrorCode::bad_model, "the model names a movement that is not known", {{"step", step}},
              "the file may come from a newer kindling");
}

std::string interpolation_name(Interpolation mode) {
  return std::string(modes[static_cast<std::size_t>(mode)]);
}

Interpolation interpolation_from(const Json& json) {
  const auto found = std::find(modes.begin(), modes.end(), json.get<std::string>());
  if (found != modes.end()) return static_cast<Interpolation>(found - modes.begin());
  throw Error(ErrorCode::bad_model, "the model names an interpolation that is not known", {{"mode", json.dump()}});
}

Json options_to_json(const AffineOptions& o) {
  return {{"size", o.size ? size_to_json(*o.size) : Json()},
          {"mode", interpolation_name(o.mode)},
          {"pad_mode", std::string(name_of(o.pad_mode))},
          {"align_corners", o.align_corners}};
}

AffineOptions affine_options_from(const Json& j) {
  AffineOptions options{.mode = interpolation_from(j.at("mode")),
                        .pad_mode = pad_mode_from(j.at("pad_mode").get<std::string>()),
                        .align_corners = j.at("align_corners").get<bool>()};
  if (!j.at("size").is_null()) options.size = size_from(j.at("size"));
  return options;
}

}  // namespace kindling::detail
