#include <kindling/core/error.hpp>
#include <kindling/vision/lighting.hpp>

#include "vision/batch_draws.hpp"
#include "vision/lighting_kernels.hpp"
#include "vision/settings_json.hpp"

#include <cmath>

namespace kindling {

namespace {

using detail::LogitMap;
using detail::masked_draw;

/// Below 1, so that logit and log of what remains are finite.
constexpr double largest_change = 0.999;

/// A factor whose logarithm is uniform in -+log(1 - most).
double draw_factor(double most, CounterRng& rng) {
  const double bound = -std::log(1 - most);
  return std::exp(rng.uniform(-bound, bound));
}

double draw_step(const BrightnessOptions& o, std::int64_t i, CounterRng& rng) {
  return masked_draw(o.draw, i, o.p, 0.5, rng, [&](CounterRng& r) {
    return r.uniform(0.5 * (1 - o.max_lighting), 0.5 * (1 + o.max_lighting));
  });
}

double draw_step(const ContrastOptions& o, std::int64_t i, CounterRng& rng) {
  return masked_draw(o.draw, i, o.p, 1, rng, [&](CounterRng& r) { return draw_factor(o.max_lighting, r); });
}

double draw_step(const SaturationOptions& o, std::int64_t i, CounterRng& rng) {
  return masked_draw(o.draw, i, o.p, 1, rng, [&](CounterRng& r) { return draw_factor(o.max_lighting, r); });
}

// Each change follows what `map` does already.

void add_step(const BrightnessOptions&, double drawn, LogitMap& map) {
  const double shift = std::log(drawn / (1 - drawn));
  for (double& s : map.shift) s += shift;
}

void add_step(const ContrastOptions&, double drawn, LogitMap& map) {
  for (double& m : map.mix) m *= drawn;
  for (double& s : map.shift) s *= drawn;
}

void add_step(const SaturationOptions&, double drawn, LogitMap& map) {
  if (drawn == 1) return;
  static constexpr std::array<double, 3> grey = {0.2989, 0.5870, 0.1140};
  const LogitMap before = map;
  for (int row = 0; row < 3; ++row) {
    const auto mixed = [&](const auto& value) {
      double sum = drawn * value(row);
      for (int k = 0; k < 3; ++k) sum += (1 - drawn) * grey[k] * value(k);
      return sum;
    };
    for (int column = 0; column < 3; ++column) {
      map.mix[3 * row + column] = mixed([&](int k) { return before.mix[3 * k + column]; });
    }
    map.shift[row] = mixed([&](int k) { return before.shift[k]; });
  }
  map.mixes = true;
}

void require_valid(const char* step, double most, double p, const GivenDraws& draw, double low, double high) {
  detail::require_range(step, "max_lighting", most, 0, largest_change);
  detail::require_range(step, "p", p, 0, 1);
  for (const double d : draw) detail::require_range(step, "draw", d, low, high);
}

void require_valid(const BrightnessOptions& o) {
  require_valid("Brightness", o.max_lighting, o.p, o.draw, 1 - largest_change, largest_change);
}
void require_valid(const ContrastOptions& o) {
  require_valid("Contrast", o.max_lighting, o.p, o.draw, 0, 1e4);
}
void require_valid(const SaturationOptions& o) {
  require_valid("Saturation", o.max_lighting, o.p, o.draw, 0, 1e4);
}

const char* name_of(const BrightnessOptions&) {
  return "brightness";
}
const char* name_of(const ContrastOptions&) {
  return "contrast";
}
const char* name_of(const SaturationOptions&) {
  return "saturation";
}

template <class Options>
Options options_from(const Json& j) {
  return {.max_lighting = j.at("max_lighting").get<double>(),
          .p = j.at("p").get<double>(),
          .draw = j.at("draw").get<GivenDraws>(),
          .batch = j.at("batch").get<bool>()};
}

LightingStep step_from(const Json& j) {
  const auto step = j.at("step").get<std::string>();
  if (step == "brightness") return options_from<BrightnessOptions>(j);
  if (step == "contrast") return options_from<ContrastOptions>(j);
  if (step == "saturation") return options_from<SaturationOptions>(j);
  throw Error(ErrorCode::bad_model, "the model names a change of light that is not known", {{"step", step}},
              "the file may come from a newer kindling");
}

void require_images(const torch::Tensor& images, bool three_channels, const char* what) {
  if (images.dim() != 4 || !images.is_floating_point()) {
    throw Error(ErrorCode::usage, "a batch of pictures to light is N x C x H x W of floats",
                {{"got", describe(Value(TensorImage{images}))}}, "put it behind IntToFloatTensor, which has order 10");
  }
  if (three_channels && images.size(1) != 3) {
    throw Error(ErrorCode::usage, std::string(what) + " needs pictures of three channels",
                {{"channels", images.size(1)}}, "leave it out for black-and-white pictures");
  }
}

void require_draws(std::size_t given, std::int64_t images) {
  if (static_cast<std::int64_t>(given) >= images) return;
  throw Error(ErrorCode::usage, "there are fewer draws than images in the batch",
              {{"draws", given}, {"images", images}});
}

}  // namespace

LightingTfm::LightingTfm(std::vector<LightingStep> steps) : steps_(std::move(steps)) {
  for (const LightingStep& step : steps_) std::visit([](const auto& s) { require_valid(s); }, step);
}

LightingDraws LightingTfm::draw(std::int64_t n, const ItemContext& context) const {
  LightingDraws draws(steps_.size());
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    const auto keep = [&](const auto& step) {
      for (std::int64_t i = 0; i < n; ++i) {
        CounterRng rng = detail::batch_rng(context, s, step.batch ? -1 : i);
        draws[s].push_back(draw_step(step, i, rng));
      }
    };
    std::visit(keep, steps_[s]);
  }
  return draws;
}

TensorImage LightingTfm::apply(const TensorImage& images, const LightingDraws& draws) const {
  if (draws.size() != steps_.size()) {
    throw Error(ErrorCode::usage, "there must be draws for each step",
                {{"steps", steps_.size()}, {"draws", draws.size()}});
  }
  bool mixes = false;
  for (const LightingStep& step : steps_) mixes = mixes || std::holds_alternative<SaturationOptions>(step);
  require_images(images.tensor, mixes, "Saturation");
  std::vector<LogitMap> maps(static_cast<std::size_t>(images.tensor.size(0)));
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    require_draws(draws[s].size(), images.tensor.size(0));
    for (std::size_t i = 0; i < maps.size(); ++i) {
      std::visit([&](const auto& step) { add_step(step, draws[s][i], maps[i]); }, steps_[s]);
    }
  }
  return {detail::light(images.tensor, maps)};
}

TensorImage LightingTfm::encodes(const TensorImage& images, const ItemContext& context) const {
  return apply(images, draw(images.tensor.size(0), context));
}

void LightingTfm::compose(const LightingTfm& other) {
  steps_.insert(steps_.end(), other.steps_.begin(), other.steps_.end());
}

Json LightingTfm::to_json() const {
  Json steps = Json::array();
  const auto add = [&](const auto& o) {
    steps.push_back(
        {{"step", name_of(o)}, {"max_lighting", o.max_lighting}, {"p", o.p}, {"draw", o.draw}, {"batch", o.batch}});
  };
  for (const LightingStep& step : steps_) std::visit(add, step);
  return {{"steps", steps}};
}

LightingTfm LightingTfm::from_json(const Json& json) {
  std::vector<LightingStep> steps;
  for (const Json& step : json.at("steps")) steps.push_back(step_from(step));
  return LightingTfm(std::move(steps));
}

Hue::Hue(HueOptions options) : options_(std::move(options)) {
  detail::require_range(name, "max_hue", options_.max_hue, 0, largest_change);
  detail::require_range(name, "p", options_.p, 0, 1);
  for (const double d : options_.draw) detail::require_range(name, "draw", d, -1e4, 1e4);
}

std::vector<double> Hue::draw(std::int64_t n, const ItemContext& context) const {
  std::vector<double> draws;
  for (std::int64_t i = 0; i < n; ++i) {
    CounterRng rng = detail::batch_rng(context, 0, options_.batch ? -1 : i);
    draws.push_back(masked_draw(options_.draw, i, options_.p, 0, rng,
                                [&](CounterRng& r) { return draw_factor(options_.max_hue, r); }));
  }
  return draws;
}

TensorImage Hue::apply(const TensorImage& images, const std::vector<double>& draws) const {
  require_images(images.tensor, true, name);
  require_draws(draws.size(), images.tensor.size(0));
  return {detail::turn_hue(images.tensor, draws)};
}

TensorImage Hue::encodes(const TensorImage& images, const ItemContext& context) const {
  return apply(images, draw(images.tensor.size(0), context));
}

Json Hue::to_json() const {
  return {{"max_hue", options_.max_hue}, {"p", options_.p}, {"draw", options_.draw}, {"batch", options_.batch}};
}

Hue Hue::from_json(const Json& json) {
  return Hue({.max_hue = json.at("max_hue").get<double>(),
              .p = json.at("p").get<double>(),
              .draw = json.at("draw").get<GivenDraws>(),
              .batch = json.at("batch").get<bool>()});
}

}  // namespace kindling
