#include <kindling/core/error.hpp>
#include <kindling/vision/cut.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace kindling {

namespace {

constexpr std::array<std::string_view, 3> mode_names = {"zeros", "border", "reflection"};

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

std::string text_of(Size size) {
  return fmt::format("{}x{}", size.width, size.height);
}

Size size_for_points(const ItemContext& context, const char* what) {
  if (context.image_size.width > 0) return context.image_size;
  throw Error(ErrorCode::bad_data, fmt::format("{} can only be moved together with a picture", what), {},
              "give the item an ImageBlock as well");
}

Image cut_image(const Image& image, const Cut& cut, Resample filter) {
  const bool inside = cut.left >= 0 && cut.top >= 0 && cut.size.width <= image.width() - cut.left &&
                      cut.size.height <= image.height() - cut.top;
  if (inside) {
    return resize(image, {cut.left, cut.top, cut.left + cut.size.width, cut.top + cut.size.height}, cut.to, filter);
  }
  // A picture of one row of pixels would become a square of them.
  constexpr std::int64_t most = std::int64_t{1} << 28;
  if (std::int64_t{cut.size.width} * cut.size.height > most) {
    throw Error(ErrorCode::limit, "padding this picture would make it too large",
                {{"picture", text_of(image.size())}, {"padded", text_of(cut.size)}},
                "take it out of the data, or resize with crop or squish");
  }
  Image padded = crop_pad(image, cut.size, cut.left, cut.top, cut.pad_mode);
  return cut.size == cut.to ? padded : resize(padded, cut.to, filter);
}

Point moved(Point p, const Cut& cut) {
  return {static_cast<float>((static_cast<double>(p.x) - cut.left) * cut.to.width / cut.size.width),
          static_cast<float>((static_cast<double>(p.y) - cut.top) * cut.to.height / cut.size.height)};
}

}  // namespace

std::string_view name_of(PadMode mode) {
  return mode_names[static_cast<std::size_t>(mode)];
}

PadMode pad_mode_from(std::string_view name) {
  const auto found = std::find(mode_names.begin(), mode_names.end(), name);
  if (found != mode_names.end()) return static_cast<PadMode>(found - mode_names.begin());
  throw Error(ErrorCode::usage, "unknown padding mode", {{"name", std::string(name)}},
              "one of zeros, border, reflection");
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

Image Cut::apply(const Image& image) const {
  return cut_image(image, *this, resample);
}

Mask Cut::apply(const Mask& mask) const {
  return {cut_image(mask.image, *this, Resample::nearest)};
}

Points Cut::apply(const Points& points) const {
  Points out = points;
  for (Point& p : out.points) p = moved(p, *this);
  return out;
}

BBoxes Cut::apply(const BBoxes& boxes) const {
  BBoxes out = boxes;
  for (BBox& b : out.boxes) {
    const Point first = moved({b.left, b.top}, *this), last = moved({b.right, b.bottom}, *this);
    b = {first.x, first.y, last.x, last.y};
  }
  return out;
}

Size picture_size(const Image& image, const ItemContext&) {
  return image.size();
}

Size picture_size(const Mask& mask, const ItemContext& context) {
  const Size size = mask.image.size();
  if (context.image_size.width == 0 || context.image_size == size) return size;
  throw Error(ErrorCode::bad_data, "the mask has another size than its picture",
              {{"mask", text_of(size)}, {"picture", text_of(context.image_size)}},
              "make a mask of the picture's size, or resize it before it is labelled");
}

Size picture_size(const Points&, const ItemContext& context) {
  return size_for_points(context, "points");
}

Size picture_size(const BBoxes&, const ItemContext& context) {
  return size_for_points(context, "boxes");
}

}  // namespace kindling
