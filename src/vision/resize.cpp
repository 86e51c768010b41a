#include <kindling/core/error.hpp>
#include <kindling/vision/resize.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace kindling {

namespace {

constexpr std::array<std::string_view, 3> method_names = {"crop", "pad", "squish"};
constexpr std::array<std::string_view, 3> mode_names = {"zeros", "border", "reflection"};

template <class Enum>
Enum from_name(std::string_view name, const std::array<std::string_view, 3>& names, const char* what) {
  auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<Enum>(found - names.begin());
  throw Error(
      ErrorCode::usage, std::string("unknown ") + what, {{"name", std::string(name)}},
      "one of " + std::string(names[0]) + ", " + std::string(names[1]) + ", " + std::string(names[2]));
}

/// For each output position the source position, or -1 for padding with zeros.
std::vector<int> source_positions(int n, int start, int length, PadMode mode) {
  std::vector<int> positions(n);
  for (int i = 0; i < n; ++i) {
    int at = start + i;
    if (mode == PadMode::border)
      at = std::clamp(at, 0, length - 1);
    else if (mode == PadMode::zeros)
      at = at < 0 || at >= length ? -1 : at;
    else if (length == 1)
      at = 0;
    else {
      // Mirrored at both edges, without repeating the edge, as often as needed.
      const int period = 2 * (length - 1);
      at = ((at % period) + period) % period;
      if (at >= length) at = period - at;
    }
    positions[i] = at;
  }
  return positions;
}

}  // namespace

std::string_view name_of(ResizeMethod method) {
  return method_names[static_cast<int>(method)];
}
std::string_view name_of(PadMode mode) {
  return mode_names[static_cast<int>(mode)];
}
ResizeMethod resize_method_from(std::string_view name) {
  return from_name<ResizeMethod>(name, method_names, "resize method");
}
PadMode pad_mode_from(std::string_view name) {
  return from_name<PadMode>(name, mode_names, "padding mode");
}

Image crop_pad(const Image& image, Size size, int left, int top, PadMode mode) {
  const auto xs = source_positions(size.width, left, image.width(), mode);
  const auto ys = source_positions(size.height, top, image.height(), mode);
  const int channels = image.channels();
  Image out(size, channels);
  for (int y = 0; y < size.height; ++y) {
    std::uint8_t* to = out.row(y);
    if (ys[y] < 0) {
      std::memset(to, 0, out.stride());
      continue;
    }
    const std::uint8_t* from = image.row(ys[y]);
    for (int x = 0; x < size.width; ++x, to += channels) {
      if (xs[x] < 0)
        std::memset(to, 0, channels);
      else
        std::memcpy(to, from + static_cast<std::size_t>(xs[x]) * channels, channels);
    }
  }
  return out;
}

Resize::Resize(Size size, ResizeOptions options) : size_(size), options_(options) {
  if (size.width < 1 || size.height < 1) {
    throw Error(ErrorCode::usage, "Resize needs a size of at least one pixel",
                {{"width", size.width}, {"height", size.height}});
  }
}

Image Resize::encodes(const Image& image, const ItemContext& context) const {
  if (context.split == Split::valid) return apply(image, 0.5, 0.5);
  CounterRng rng = context.rng();
  const double px = rng.uniform(), py = rng.uniform();
  return apply(image, px, py);
}

Image Resize::apply(const Image& image, double px, double py) const {
  if (options_.method == ResizeMethod::squish) return resize(image, size_, options_.resample);
  const int w = image.width(), h = image.height();
  const double by_width = static_cast<double>(w) / size_.width;
  const double by_height = static_cast<double>(h) / size_.height;
  const bool crops = options_.method == ResizeMethod::crop;
  const double m = crops ? std::min(by_width, by_height) : std::max(by_width, by_height);
  const Size cut{std::max(1, static_cast<int>(m * size_.width)), std::max(1, static_cast<int>(m * size_.height))};
  const int left = static_cast<int>(px * (w - cut.width)), top = static_cast<int>(py * (h - cut.height));
  if (left >= 0 && top >= 0 && left + cut.width <= w && top + cut.height <= h) {
    return resize(image, {left, top, left + cut.width, top + cut.height}, size_, options_.resample);
  }
  return resize(crop_pad(image, cut, left, top, options_.pad_mode), size_, options_.resample);
}

int Resize::reduction(Size source) const {
  // The picture may still be turned by its EXIF orientation: what holds for both ways is safe.
  auto factor = [&](double w, double h) {
    const double by_width = w / size_.width, by_height = h / size_.height;
    return options_.method == ResizeMethod::pad ? std::max(by_width, by_height)
                                                : std::min(by_width, by_height);
  };
  const double m = std::min(factor(source.width, source.height), factor(source.height, source.width));
  for (int r : {8, 4, 2}) {
    if (m / r >= 2) return r;
  }
  return 1;
}

Json Resize::to_json() const {
  static constexpr std::string_view filters[] = {"nearest", "bilinear", "bicubic",
                                                 "lanczos", "box",      "hamming"};
  return {{"size", {size_.height, size_.width}},
          {"method", std::string(name_of(options_.method))},
          {"pad_mode", std::string(name_of(options_.pad_mode))},
          {"resample", std::string(filters[static_cast<int>(options_.resample)])}};
}

Resize Resize::from_json(const Json& json) {
  static const std::vector<std::string> filters = {"nearest", "bilinear", "bicubic",
                                                   "lanczos", "box",      "hamming"};
  auto filter = std::find(filters.begin(), filters.end(), json.at("resample").get<std::string>());
  if (filter == filters.end()) {
    throw Error(ErrorCode::bad_model, "the model names a resize filter that is not known",
                {{"resample", json.at("resample").dump()}});
  }
  return Resize(Size{json.at("size").at(1).get<int>(), json.at("size").at(0).get<int>()},
                {.method = resize_method_from(json.at("method").get<std::string>()),
                 .pad_mode = pad_mode_from(json.at("pad_mode").get<std::string>()),
                 .resample = static_cast<Resample>(filter - filters.begin())});
}

}  // namespace kindling
