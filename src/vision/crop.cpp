#include <kindling/core/error.hpp>
#include <kindling/vision/crop.hpp>

#include "vision/crop_search.hpp"
#include "vision/settings_json.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace kindling {

namespace detail {

void require_range(const char* transform, const CropRange& range) {
  const auto [low, high] = range.ratio;
  const bool scales = range.min_scale > 0 && range.min_scale <= range.max_scale && range.max_scale <= 1;
  const bool ratios = low > 0 && low <= high && std::isfinite(high);
  if (scales && ratios) return;
  throw Error(ErrorCode::usage,
              fmt::format("{} needs 0 < min_scale <= max_scale <= 1 and 0 < least ratio <= most ratio", transform),
              {{"min_scale", fmt::format("{}", range.min_scale)},
               {"max_scale", fmt::format("{}", range.max_scale)},
               {"ratio", fmt::format("{} to {}", low, high)}});
}

Size draw_crop_size(Size source, const CropRange& range, const CropDraws& draws) {
  const double w = source.width, h = source.height;
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = draws.uniform(range.min_scale, range.max_scale) * w * h;
    const double aspect = std::exp(draws.uniform(std::log(range.ratio[0]), std::log(range.ratio[1])));
    // Python rounds halves to even, as nearbyint does.
    const double width = std::nearbyint(std::sqrt(area * aspect));
    const double height = std::nearbyint(std::sqrt(area / aspect));
    if (width > w || height > h) continue;
    return {std::max(1, static_cast<int>(width)), std::max(1, static_cast<int>(height))};
  }
  return {};
}

Size widest_crop(Size source, const std::array<double, 2>& ratio) {
  const double w = source.width, h = source.height;
  if (w / h < ratio[0]) return {source.width, std::max(1, static_cast<int>(w / ratio[0]))};
  if (w / h > ratio[1]) return {std::max(1, static_cast<int>(h * ratio[1])), source.height};
  return source;
}

CropDraws draws_from(CounterRng& rng) {
  return {.uniform = [&rng](double low, double high) { return rng.uniform(low, high); },
          .integer = [&rng](std::int64_t low, std::int64_t high) { return rng.integer(low, high); }};
}

}  // namespace detail

namespace {

/// Half of a difference, rounded down as Python's `//`.
int middle_of(int outer, int inner) {
  const int difference = outer - inner;
  return difference >= 0 ? difference / 2 : -((1 - difference) / 2);
}

Cut cut_in_middle(Size source, Size size, PadMode mode) {
  return {.left = middle_of(source.width, size.width),
          .top = middle_of(source.height, size.height),
          .size = size,
          .to = size,
          .pad_mode = mode};
}

}  // namespace

RandomResizedCrop::RandomResizedCrop(Size size, RandomResizedCropOptions options) : size_(size), options_(options) {
  detail::require_size(name, size);
  detail::require_range(name, {options.min_scale, options.max_scale, options.ratio});
  detail::require_range(name, "val_xtra", options.val_xtra, 0, 10);
}

Cut RandomResizedCrop::train_cut(Size source, const CropDraws& draws) const {
  Cut cut{.to = size_, .resample = options_.resample};
  cut.size = detail::draw_crop_size(source, {options_.min_scale, options_.max_scale, options_.ratio}, draws);
  if (cut.size.width > 0) {
    cut.left = static_cast<int>(draws.integer(0, source.width - cut.size.width));
    cut.top = static_cast<int>(draws.integer(0, source.height - cut.size.height));
  } else {
    cut.size = detail::widest_crop(source, options_.ratio);
    cut.left = (source.width - cut.size.width) / 2;
    cut.top = (source.height - cut.size.height) / 2;
  }
  return cut;
}

Cut RandomResizedCrop::train_cut(Size source, const ItemContext& context) const {
  CounterRng rng = context.rng();
  return train_cut(source, detail::draws_from(rng));
}

Cut RandomResizedCrop::valid_squish(Size source) const {
  const int extra =
      static_cast<int>(std::ceil(std::max(size_.width, size_.height) * options_.val_xtra / 8)) * 8;
  return {.size = source, .to = {size_.width + extra, size_.height + extra}, .resample = options_.resample};
}

Cut RandomResizedCrop::middle(Size squished) const {
  return cut_in_middle(squished, size_, PadMode::zeros);
}

int RandomResizedCrop::reduction(Size source) const {
  // The picture may still be turned by its EXIF orientation: what holds for both ways is safe.
  const double narrowest = std::min(std::sqrt(options_.ratio[0]), 1 / std::sqrt(options_.ratio[1]));
  const double side = std::sqrt(options_.min_scale * source.width * source.height) * narrowest;
  const double shortest = std::min(source.width, source.height);
  const double train = std::min(side, shortest) / std::max(size_.width, size_.height);
  const Size squished = valid_squish(source).to;
  const double valid = shortest / std::max(squished.width, squished.height);
  for (int r : {8, 4, 2}) {
    if (std::min(train, valid) / r >= 2) return r;
  }
  return 1;
}

Json RandomResizedCrop::to_json() const {
  return {{"size", detail::size_to_json(size_)},       {"min_scale", options_.min_scale},
          {"max_scale", options_.max_scale},           {"ratio", options_.ratio},
          {"val_xtra", options_.val_xtra},             {"resample", detail::resample_name(options_.resample)}};
}

RandomResizedCrop RandomResizedCrop::from_json(const Json& json) {
  return RandomResizedCrop(detail::size_from(json.at("size")),
                           {.min_scale = json.at("min_scale").get<double>(),
                            .max_scale = json.at("max_scale").get<double>(),
                            .ratio = json.at("ratio").get<std::array<double, 2>>(),
                            .val_xtra = json.at("val_xtra").get<double>(),
                            .resample = detail::resample_from(json.at("resample"))});
}

RandomCrop::RandomCrop(Size size) : size_(size) {
  detail::require_size(name, size);
}

Cut RandomCrop::train_cut(Size source, const CropDraws& draws) const {
  auto place = [&](int spare) {
    return static_cast<int>(spare < 0 ? draws.integer(spare, -1) : draws.integer(0, spare));
  };
  Cut cut{.size = size_, .to = size_};
  cut.left = place(source.width - size_.width);
  cut.top = place(source.height - size_.height);
  return cut;
}

Cut RandomCrop::cut(Size source, const ItemContext& context) const {
  if (context.split == Split::valid) return cut_in_middle(source, size_, PadMode::zeros);
  CounterRng rng = context.rng();
  return train_cut(source, detail::draws_from(rng));
}

Json RandomCrop::to_json() const {
  return {{"size", detail::size_to_json(size_)}};
}

RandomCrop RandomCrop::from_json(const Json& json) {
  return RandomCrop(detail::size_from(json.at("size")));
}

CropPad::CropPad(Size size, PadMode pad_mode) : size_(size), pad_mode_(pad_mode) {
  detail::require_size(name, size);
}

Cut CropPad::cut(Size source) const {
  return cut_in_middle(source, size_, pad_mode_);
}

Json CropPad::to_json() const {
  return {{"size", detail::size_to_json(size_)}, {"pad_mode", std::string(name_of(pad_mode_))}};
}

CropPad CropPad::from_json(const Json& json) {
  return CropPad(detail::size_from(json.at("size")), pad_mode_from(json.at("pad_mode").get<std::string>()));
}

}  // namespace kindling
