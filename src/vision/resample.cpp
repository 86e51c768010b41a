#include <kindling/core/error.hpp>
#include <kindling/vision/resample.hpp>

#include "vision/resample_kernels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <numbers>
#include <vector>

namespace kindling {
namespace {

using detail::row_group;
using detail::Taps;

double box_weight(double x) {
  return x > -0.5 && x <= 0.5 ? 1 : 0;
}

double bilinear_weight(double x) {
  x = std::abs(x);
  return x < 1 ? 1 - x : 0;
}

double hamming_weight(double x) {
  x = std::abs(x);
  if (x == 0) return 1;
  if (x >= 1) return 0;
  x *= std::numbers::pi;
  // Pillow's constants are floats.
  return std::sin(x) / x * (0.54f + 0.46f * std::cos(x));
}

double bicubic_weight(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos_weight(double x) {
  return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

struct Filter {
  double (*weight)(double);
  double support;
};

Filter filter_of(Resample filter) {
  switch (filter) {
    case Resample::box:
      return {box_weight, 0.5};
    case Resample::hamming:
      return {hamming_weight, 1};
    case Resample::bicubic:
      return {bicubic_weight, 2};
    case Resample::lanczos:
      return {lanczos_weight, 3};
    case Resample::bilinear:
    case Resample::nearest:
      break;
  }
  return {bilinear_weight, 1};
}

void store_weights(const std::vector<double>& weights, double sum, std::size_t at, Taps& taps) {
  constexpr double unit = 1 << detail::weight_bits;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double weight = (sum != 0 ? weights[i] / sum : weights[i]) * unit;
    const int fixed = static_cast<int>(weight < 0 ? weight - 0.5 : weight + 0.5);
    const int high = fixed >> detail::low_bits;
    taps.high[at + i] = static_cast<std::int16_t>(high);
    taps.low[at + i] = static_cast<std::int16_t>(fixed - high * (1 << detail::low_bits));
  }
}

/// Pillow's coefficients (Resample.c, precompute_coeffs), in the same order of operations.
Taps make_taps(int in, int out, const Filter& filter) {
  const double scale = static_cast<double>(in) / out;
  const double stretch = std::max(scale, 1.0);
  const double support = filter.support * stretch;
  const double shrink = 1.0 / stretch;
  const int most = static_cast<int>(std::ceil(support)) * 2 + 1;
  Taps taps;
  taps.padded = (most + detail::tap_group - 1) / detail::tap_group * detail::tap_group;
  taps.first.resize(out);
  taps.count.resize(out);
  taps.high.resize(static_cast<std::size_t>(out) * taps.padded);
  taps.low.resize(taps.high.size());
  std::vector<double> weights;
  for (int x = 0; x < out; ++x) {
    const double centre = (x + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int last = std::min(static_cast<int>(centre + support + 0.5), in);
    weights.clear();
    double sum = 0;
    for (int i = first; i < last; ++i) {
      weights.push_back(filter.weight((i - centre + 0.5) * shrink));
      sum += weights.back();
    }
    taps.first[x] = first;
    taps.count[x] = last - first;
    store_weights(weights, sum, static_cast<std::size_t>(x) * taps.padded, taps);
  }
  return taps;
}

/// Rows of pixels that lie at equal distances.
struct Rows {
  const std::uint8_t* data = nullptr;
  std::size_t stride = 0;
  const std::uint8_t* row(int y) const { return data + stride * y; }
};

/// Widths of rows [0, count) to `taps`' outputs. `out` rows lie `out_stride` apart, with room for a byte
/// behind each.
void horizontal(Rows in, int count, int channels, const Taps& taps, std::uint8_t* out,
                std::size_t out_stride) {
  for (int y = 0; y < count; y += row_group) {
    std::array<const std::uint8_t*, row_group> from{};
    std::array<std::uint8_t*, row_group> to{};
    // Where fewer rows are left, the last one is made again.
    for (int i = 0; i < row_group; ++i) {
      const int row = std::min(y + i, count - 1);
      from[i] = in.row(row);
      to[i] = out + out_stride * row;
    }
    if (channels == 1) {
      detail::resample_grey_rows(from.data(), to.data(), taps);
    } else {
      detail::resample_rgb_rows(from.data(), to.data(), taps);
    }
  }
}

/// Heights to `taps`' outputs, `bytes` bytes a row; row 0 of `in` is input row `skipped`.
void vertical(Rows in, int skipped, const Taps& taps, std::size_t bytes, std::uint8_t* out,
              std::size_t out_stride) {
  std::vector<const std::uint8_t*> rows(static_cast<std::size_t>(taps.padded));
  for (std::size_t y = 0; y < taps.first.size(); ++y) {
    const int count = taps.count[y];
    for (int i = 0; i < count; ++i) rows[i] = in.row(taps.first[y] - skipped + i);
    // An odd row more has weight 0.
    const int even = count + count % 2;
    if (even > count) rows[count] = rows[count - 1];
    const std::size_t weights = y * taps.padded;
    detail::resample_column(rows.data(), &taps.high[weights], &taps.low[weights], even, bytes,
                            out + out_stride * y);
  }
}

/// Rows of pixels that go from one pass to the next.
class Middle {
 public:
  Middle(std::size_t row_bytes, int rows)
      : stride_(row_bytes + 1),
        data_(std::make_unique_for_overwrite<std::uint8_t[]>(stride_ * rows + Image::read_slack)) {}
  std::uint8_t* data() { return data_.get(); }
  std::size_t stride() const { return stride_; }
  Rows rows() const { return {data_.get(), stride_}; }

 private:
  std::size_t stride_;
  std::unique_ptr<std::uint8_t[]> data_;
};

void copy_rows(Rows in, Image& out) {
  for (int y = 0; y < out.height(); ++y) std::memcpy(out.row(y), in.row(y), out.stride());
}

void resample_widths(Rows in, Size from, const Filter& filter, Image& out) {
  Middle narrowed(out.stride(), out.height());
  horizontal(in, out.height(), out.channels(), make_taps(from.width, out.width(), filter), narrowed.data(),
             narrowed.stride());
  copy_rows(narrowed.rows(), out);
}

void resample_heights_first(Rows in, Size from, const Filter& filter, Image& out) {
  const std::size_t row_bytes = static_cast<std::size_t>(from.width) * out.channels();
  Middle lowered(row_bytes, out.height());
  vertical(in, 0, make_taps(from.height, out.height(), filter), row_bytes, lowered.data(), lowered.stride());
  resample_widths(lowered.rows(), from, filter, out);
}

void resample_widths_first(Rows in, Size from, const Filter& filter, Image& out) {
  const Taps rows = make_taps(from.height, out.height(), filter);
  const int first = rows.first.front(), last = rows.first.back() + rows.count.back();
  Middle narrowed(out.stride(), last - first);
  horizontal({in.row(first), in.stride}, last - first, out.channels(),
             make_taps(from.width, out.width(), filter), narrowed.data(), narrowed.stride());
  vertical(narrowed.rows(), first, rows, out.stride(), out.data(), out.stride());
}

/// Which pass comes first shows in the last bit, for the result between them is rounded. Pillow 13 begins
/// with the heights where it has more than twice as many rows to lose as columns; older versions never did.
bool heights_come_first(Size from, Size to) {
  const std::int64_t rows = std::int64_t{from.height} - to.height;
  const std::int64_t columns = std::int64_t{from.width} - to.width;
  return rows > 0 && rows > 2 * columns;
}

Image resample(Rows in, Size from, Size to, int channels, const Filter& filter) {
  Image out(to, channels);
  if (from == to) {
    copy_rows(in, out);
  } else if (from.width == to.width) {
    vertical(in, 0, make_taps(from.height, to.height, filter), out.stride(), out.data(), out.stride());
  } else if (from.height == to.height) {
    resample_widths(in, from, filter, out);
  } else if (heights_come_first(from, to)) {
    resample_heights_first(in, from, filter, out);
  } else {
    resample_widths_first(in, from, filter, out);
  }
  return out;
}

/// Pillow's index table: positions are summed up, not multiplied, and so are their rounding errors.
std::vector<int> nearest_indices(int in, int out) {
  std::vector<int> indices(out);
  const double step = static_cast<double>(in) / out;
  double position = step * 0.5;
  for (int& index : indices) {
    index = std::min(static_cast<int>(position), in - 1);
    position += step;
  }
  return indices;
}

Image nearest(Rows in, Size from, Size to, int channels) {
  Image out(to, channels);
  const auto columns = nearest_indices(from.width, to.width);
  const auto rows = nearest_indices(from.height, to.height);
  for (int y = 0; y < to.height; ++y) {
    const std::uint8_t* source = in.row(rows[y]);
    std::uint8_t* pixel = out.row(y);
    if (channels == 1) {
      for (const int x : columns) *pixel++ = source[x];
    } else {
      for (const int x : columns) {
        std::memcpy(pixel, source + static_cast<std::size_t>(x) * 3, 3);
        pixel += 3;
      }
    }
  }
  return out;
}

void check(const Image& image, const Box& box, Size size) {
  if (image.empty()) throw Error(ErrorCode::usage, "an empty picture cannot be resized");
  if (image.channels() != 1 && image.channels() != 3) {
    throw Error(ErrorCode::usage, "a picture to resize has 1 or 3 channels",
                {{"channels", image.channels()}});
  }
  if (size.width <= 0 || size.height <= 0) {
    throw Error(ErrorCode::usage, "a picture cannot be resized to nothing",
                {{"width", size.width}, {"height", size.height}});
  }
  if (box.left < 0 || box.top < 0 || box.left >= box.right || box.top >= box.bottom ||
      box.right > image.width() || box.bottom > image.height()) {
    throw Error(ErrorCode::usage, "the box to resize does not lie inside the picture",
                {{"left", box.left},
                 {"top", box.top},
                 {"right", box.right},
                 {"bottom", box.bottom},
                 {"width", image.width()},
                 {"height", image.height()}});
  }
}

}  // namespace

Image resize(const Image& image, Size size, Resample filter) {
  const Box whole{0, 0, image.width(), image.height()};
  check(image, whole, size);
  return size == image.size() ? image : resize(image, whole, size, filter);
}

Image resize(const Image& image, const Box& box, Size size, Resample filter) {
  check(image, box, size);
  const int channels = image.channels();
  const Size from{box.right - box.left, box.bottom - box.top};
  const Rows rows{image.row(box.top) + static_cast<std::size_t>(box.left) * channels, image.stride()};
  if (filter == Resample::nearest) return nearest(rows, from, size, channels);
  return resample(rows, from, size, channels, filter_of(filter));
}

}  // namespace kindling
