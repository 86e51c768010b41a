#include <kindling/core/error.hpp>
#include <kindling/vision/resize.hpp>

#include "vision/settings_json.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace kindling {

namespace {

constexpr std::array<std::string_view, 3> method_names = {"crop", "pad", "squish"};

/// The largest of 8, 4, 2 by which a picture that is `times` as large as its result stays twice as large.
int reduction_for(double times) {
  for (int r : {8, 4, 2}) {
    if (times / r >= 2) return r;
  }
  return 1;
}

}  // namespace

std::string_view name_of(ResizeMethod method) {
  return method_names[static_cast<std::size_t>(method)];
}

ResizeMethod resize_method_from(std::string_view name) {
  const auto found = std::find(method_names.begin(), method_names.end(), name);
  if (found != method_names.end()) return static_cast<ResizeMethod>(found - method_names.begin());
  throw Error(ErrorCode::usage, "unknown resize method", {{"name", std::string(name)}}, "one of crop, pad, squish");
}

Resize::Resize(Size size, ResizeOptions options) : size_(size), options_(options) {
  detail::require_size(name, size);
}

Cut Resize::cut(Size source, double px, double py) const {
  Cut cut{.size = source, .to = size_, .pad_mode = options_.pad_mode, .resample = options_.resample};
  if (options_.method == ResizeMethod::squish) return cut;
  const int w = source.width, h = source.height;
  const double by_width = static_cast<double>(w) / size_.width;
  const double by_height = static_cast<double>(h) / size_.height;
  const bool crops = options_.method == ResizeMethod::crop;
  const double m = crops ? std::min(by_width, by_height) : std::max(by_width, by_height);
  cut.size = {std::max(1, static_cast<int>(m * size_.width)), std::max(1, static_cast<int>(m * size_.height))};
  cut.left = static_cast<int>(px * (w - cut.size.width));
  cut.top = static_cast<int>(py * (h - cut.size.height));
  return cut;
}

Cut Resize::cut(Size source, const ItemContext& context) const {
  if (context.split == Split::valid) return cut(source, 0.5, 0.5);
  CounterRng rng = context.rng();
  const double px = rng.uniform(), py = rng.uniform();
  return cut(source, px, py);
}

int Resize::reduction(Size source) const {
  // The picture may still be turned by its EXIF orientation: what holds for both ways is safe.
  auto factor = [&](double w, double h) {
    const double by_width = w / size_.width, by_height = h / size_.height;
    return options_.method == ResizeMethod::pad ? std::max(by_width, by_height)
                                                : std::min(by_width, by_height);
  };
  return reduction_for(std::min(factor(source.width, source.height), factor(source.height, source.width)));
}

Json Resize::to_json() const {
  return {{"size", detail::size_to_json(size_)},
          {"method", std::string(name_of(options_.method))},
          {"pad_mode", std::string(name_of(options_.pad_mode))},
          {"resample", detail::resample_name(options_.resample)}};
}

Resize Resize::from_json(const Json& json) {
  return Resize(detail::size_from(json.at("size")),
                {.method = resize_method_from(json.at("method").get<std::string>()),
                 .pad_mode = pad_mode_from(json.at("pad_mode").get<std::string>()),
                 .resample = detail::resample_from(json.at("resample"))});
}

RatioResize::RatioResize(int max_size, RatioResizeOptions options) : max_size_(max_size), options_(options) {
  detail::require_size(name, {max_size, max_size});
}

Size RatioResize::size_for(Size source) const {
  const double w = source.width, h = source.height;
  const double other = w >= h ? h * max_size_ / w : w * max_size_ / h;
  // A hair of a picture keeps one pixel.
  const int shorter = std::max(1, static_cast<int>(other));
  return w >= h ? Size{max_size_, shorter} : Size{shorter, max_size_};
}

Resize RatioResize::resize_of(Size source) const {
  return Resize(size_for(source), {.resample = options_.resample});
}

int RatioResize::reduction(Size source) const {
  return reduction_for(static_cast<double>(std::max(source.width, source.height)) / max_size_);
}

Json RatioResize::to_json() const {
  return {{"max_size", max_size_}, {"resample", detail::resample_name(options_.resample)}};
}

RatioResize RatioResize::from_json(const Json& json) {
  return RatioResize(json.at("max_size").get<int>(), {.resample = detail::resample_from(json.at("resample"))});
}

}  // namespace kindling
