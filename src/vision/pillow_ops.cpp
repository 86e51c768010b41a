#include "vision/pillow_ops.hpp"

#include <kindling/vision/codec.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

namespace kindling::detail {

namespace {

using Table = std::array<std::uint8_t, 256>;
using Histogram = std::array<std::int64_t, 256>;

std::uint8_t clipped(double value) {
  return static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
}

/// Every value through the table of its channel.
Image through_tables(const Image& image, const std::vector<Table>& tables) {
  Image out(image.size(), image.channels());
  const auto channels = static_cast<std::size_t>(image.channels());
  for (std::size_t i = 0; i < image.bytes(); ++i) out.data()[i] = tables[i % channels][image.data()[i]];
  return out;
}

Image through_table(const Image& image, const std::function<int(int)>& value) {
  Table table{};
  for (int i = 0; i < 256; ++i) table[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(value(i));
  return through_tables(image, std::vector<Table>(static_cast<std::size_t>(image.channels()), table));
}

std::vector<Histogram> histograms(const Image& image) {
  const auto channels = static_cast<std::size_t>(image.channels());
  std::vector<Histogram> counts(channels, Histogram{});
  for (std::size_t i = 0; i < image.bytes(); ++i) ++counts[i % channels][image.data()[i]];
  return counts;
}

Table identity_table() {
  Table table{};
  for (std::size_t i = 0; i < 256; ++i) table[i] = static_cast<std::uint8_t>(i);
  return table;
}

Table auto_contrast_table(const Histogram& counts) {
  const auto used = [](std::int64_t n) { return n > 0; };
  const auto low = std::find_if(counts.begin(), counts.end(), used) - counts.begin();
  const auto high = 255 - (std::find_if(counts.rbegin(), counts.rend(), used) - counts.rbegin());
  if (high <= low) return identity_table();
  const double scale = 255.0 / static_cast<double>(high - low), offset = -static_cast<double>(low) * scale;
  Table table{};
  for (int i = 0; i < 256; ++i) table[static_cast<std::size_t>(i)] = clipped(i * scale + offset);
  return table;
}

Table equalize_table(const Histogram& counts) {
  std::int64_t total = 0, last = 0, kinds = 0;
  for (const std::int64_t n : counts) {
    total += n;
    if (n > 0) last = n, ++kinds;
  }
  const std::int64_t step = (total - last) / 255;
  if (kinds <= 1 || step == 0) return identity_table();
  Table table{};
  std::int64_t below = step / 2;
  for (std::size_t i = 0; i < 256; ++i) {
    table[i] = static_cast<std::uint8_t>(std::min<std::int64_t>(255, below / step));
    below += counts[i];
  }
  return table;
}

std::uint8_t* put(std::uint8_t* to, const Image& image, int x, int y) {
  const int channels = image.channels();
  if (x >= 0 && y >= 0 && x < image.width() && y < image.height()) {
    std::memcpy(to, image.row(y) + static_cast<std::size_t>(x) * channels, channels);
  }
  return to + channels;
}

/// Pillow's COORD.
int down(double at) {
  return at < 0 ? -1 : static_cast<int>(at);
}

/// Scaled and shifted only: rows and columns apart, positions summed up.
void scale_nearest(const Image& image, const Affine6& m, Image& out) {
  std::vector<int> columns(static_cast<std::size_t>(out.width()));
  double x = m[2] + m[0] * 0.5, y = m[5] + m[4] * 0.5;
  for (int& column : columns) {
    column = down(x);
    x += m[0];
  }
  for (int row = 0; row < out.height(); ++row, y += m[4]) {
    std::uint8_t* to = out.row(row);
    for (const int column : columns) to = put(to, image, column, down(y));
  }
}

/// In Pillow's 16.16 fixed point.
void transform_fixed(const Image& image, const Affine6& m, Image& out) {
  const auto fixed = [](double v) { return static_cast<int>(std::floor(v * 65536.0 + 0.5)); };
  const int dx = fixed(m[0]), dx_row = fixed(m[1]), dy = fixed(m[3]), dy_row = fixed(m[4]);
  int first_x = fixed(m[2] + m[0] * 0.5 + m[1] * 0.5), first_y = fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);
  for (int row = 0; row < out.height(); ++row, first_x += dx_row, first_y += dy_row) {
    std::uint8_t* to = out.row(row);
    std::int64_t x = first_x, y = first_y;
    for (int column = 0; column < out.width(); ++column, x += dx, y += dy) {
      to = put(to, image, static_cast<int>(x >> 16), static_cast<int>(y >> 16));
    }
  }
}

void transform_double(const Image& image, const Affine6& m, Image& out) {
  double first_x = m[2] + m[1] * 0.5 + m[0] * 0.5, first_y = m[5] + m[4] * 0.5 + m[3] * 0.5;
  for (int row = 0; row < out.height(); ++row, first_x += m[1], first_y += m[4]) {
    std::uint8_t* to = out.row(row);
    double x = first_x, y = first_y;
    for (int column = 0; column < out.width(); ++column, x += m[0], y += m[3]) {
      to = put(to, image, down(std::min(x, 1e9)), down(std::min(y, 1e9)));
    }
  }
}

bool fits_fixed(const Affine6& m, Size size) {
  const auto near = [&](double x, double y) {
    return std::abs(x * m[0] + y * m[1] + m[2]) < 32768 && std::abs(x * m[3] + y * m[4] + m[5]) < 32768;
  };
  const double w = size.width, h = size.height;
  return near(0, 0) && near(w, h) && near(0, h) && near(w, 0);
}

Image filled(Size size, int channels, int value) {
  Image image(size, channels);
  std::memset(image.data(), value, image.bytes());
  return image;
}

/// Pillow's SMOOTH: (1 1 1, 1 5 1, 1 1 1) / 13, edges as they are.
Image smooth(const Image& image) {
  Image out(image.size(), image.channels());
  std::memcpy(out.data(), image.data(), image.bytes());
  const int channels = image.channels();
  for (int y = 1; y + 1 < image.height(); ++y) {
    for (int i = channels; i < (image.width() - 1) * channels; ++i) {
      int sum = 4 * image.row(y)[i];
      for (int row = y - 1; row <= y + 1; ++row) {
        const std::uint8_t* at = image.row(row) + i;
        sum += at[-channels] + at[0] + at[channels];
      }
      // Thirteenths are never halves: rounding is exact.
      out.row(y)[i] = static_cast<std::uint8_t>((2 * sum + 13) / 26);
    }
  }
  return out;
}

Image grey_like(const Image& image) {
  if (image.channels() == 1) return image;
  const Image grey = to_grey(image);
  Image out(image.size(), 3);
  for (std::size_t i = 0; i < grey.bytes(); ++i) std::memset(out.data() + 3 * i, grey.data()[i], 3);
  return out;
}

int mean_grey(const Image& image) {
  const Image grey = image.channels() == 1 ? image : to_grey(image);
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < grey.bytes(); ++i) sum += grey.data()[i];
  return static_cast<int>(static_cast<double>(sum) / static_cast<double>(grey.bytes()) + 0.5);
}

}  // namespace

Image transform_nearest(const Image& image, const Affine6& m, int fill) {
  Image out = filled(image.size(), image.channels(), fill);
  if (m[1] == 0 && m[3] == 0)
    scale_nearest(image, m, out);
  else if (fits_fixed(m, image.size()))
    transform_fixed(image, m, out);
  else
    transform_double(image, m, out);
  return out;
}

Image blend(const Image& first, const Image& second, double alpha) {
  const auto part = static_cast<float>(alpha);
  if (part == 0) return first;
  if (part == 1) return second;
  Image out(first.size(), first.channels());
  for (std::size_t i = 0; i < out.bytes(); ++i) {
    const int from = first.data()[i], to = second.data()[i];
    const float mixed = static_cast<float>(from) + part * static_cast<float>(to - from);
    out.data()[i] = static_cast<std::uint8_t>(std::clamp(mixed, 0.0f, 255.0f));
  }
  return out;
}

Image enhance_brightness(const Image& image, double factor) {
  return blend(filled(image.size(), image.channels(), 0), image, factor);
}

Image enhance_color(const Image& image, double factor) {
  return blend(grey_like(image), image, factor);
}

Image enhance_contrast(const Image& image, double factor) {
  return blend(filled(image.size(), image.channels(), mean_grey(image)), image, factor);
}

Image enhance_sharpness(const Image& image, double factor) {
  return blend(smooth(image), image, factor);
}

Image posterize(const Image& image, int bits) {
  const int mask = ~((1 << (8 - bits)) - 1);
  return through_table(image, [mask](int i) { return i & mask; });
}

Image solarize(const Image& image, double threshold) {
  return through_table(image, [threshold](int i) { return i < threshold ? i : 255 - i; });
}

Image auto_contrast(const Image& image) {
  std::vector<Table> tables;
  for (const Histogram& counts : histograms(image)) tables.push_back(auto_contrast_table(counts));
  return through_tables(image, tables);
}

Image equalize(const Image& image) {
  std::vector<Table> tables;
  for (const Histogram& counts : histograms(image)) tables.push_back(equalize_table(counts));
  return through_tables(image, tables);
}

}  // namespace kindling::detail
