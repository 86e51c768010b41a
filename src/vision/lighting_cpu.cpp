#include "nn/parallel_for.hpp"
#include "vision/augment_kernels.hpp"
#include "vision/lighting_kernels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>


namespace kindling::detail {

namespace {

/// Pixels of one step of a thread.
constexpr std::int64_t chunk_pixels = 8192;

ChannelMix mix_of(const LogitMap& map) {
  ChannelMix by{};
  std::copy(map.mix.begin(), map.mix.end(), by.mix);
  std::copy(map.shift.begin(), map.shift.end(), by.shift);
  return by;
}

bool is_neutral(const LogitMap& map) {
  return !map.mixes && map.mix[0] == 1 && map.shift[0] == 0;
}

/// `chunk(image, from, to, pixels)` for parts of every image, on torch's threads; channels lie together.
template <class Chunk>
torch::Tensor over_chunks(const torch::Tensor& images, const Chunk& chunk) {
  const auto x = images.contiguous(torch::MemoryFormat::ChannelsLast);
  auto out = torch::empty_like(x, x.options(), torch::MemoryFormat::ChannelsLast);
  const auto channels = x.size(1), pixels = x.size(2) * x.size(3);
  const auto chunks = (pixels + chunk_pixels - 1) / chunk_pixels;
  const auto* from = x.const_data_ptr<float>();
  auto* to = out.data_ptr<float>();
  detail::parallel_for(0, x.size(0) * chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto first = i % chunks * chunk_pixels;
      const auto at = (i / chunks * pixels + first) * channels;
      chunk(static_cast<std::size_t>(i / chunks), from + at, to + at, std::min(chunk_pixels, pixels - first));
    }
  });
  return out;
}

struct Colour {
  float r, g, b;
};

/// fastai's rgb2hsv and hsv2rgb with the hue moved in between.
Colour with_hue(const Colour& c, float turn) {
  const float most = std::max({c.r, c.g, c.b}), least = std::min({c.r, c.g, c.b});
  const float range = most - least;
  const float saturation = range == 0 ? 0 : range / most;
  const float divisor = range == 0 ? 1 : range;
  const float rc = (most - c.r) / divisor, gc = (most - c.g) / divisor, bc = (most - c.b) / divisor;
  float hue = most == c.r ? bc - gc : most == c.g ? 2 + rc - bc : 4 + gc - rc;
  hue = std::fmod(hue / 6 + 1, 1.0f) + turn;
  hue -= std::floor(hue);
  const float sixth = std::floor(hue * 6), rest = hue * 6 - sixth;
  const auto clamped = [](float v) { return std::clamp(v, 0.0f, 1.0f); };
  const float p = clamped(most * (1 - saturation)), q = clamped(most * (1 - saturation * rest)),
              t = clamped(most * (1 - saturation * (1 - rest)));
  switch (static_cast<int>(sixth) % 6) {
    case 0:
      return {most, t, p};
    case 1:
      return {q, most, p};
    case 2:
      return {p, most, t};
    case 3:
      return {p, q, most};
    case 4:
      return {t, p, most};
    default:
      return {most, p, q};
  }
}

bool on_kernels(const torch::Tensor& images) {
  return images.device().is_cpu() && images.scalar_type() == torch::kFloat32;
}

}  // namespace

torch::Tensor light(const torch::Tensor& images, const std::vector<LogitMap>& maps) {
  if (!on_kernels(images)) return light_by_torch(images, maps);
  const auto channels = images.size(1);
  return over_chunks(images, [&](std::size_t image, const float* from, float* to, std::int64_t pixels) {
    const LogitMap& map = maps[image];
    const auto values = static_cast<std::size_t>(pixels * channels);
    if (is_neutral(map))
      std::memcpy(to, from, values * sizeof(float));
    else if (map.mixes)
      light_pixels(from, static_cast<std::size_t>(pixels), mix_of(map), to);
    else
      light_values(from, values, static_cast<float>(map.mix[0]), static_cast<float>(map.shift[0]), to);
  });
}

torch::Tensor turn_hue(const torch::Tensor& images, const std::vector<double>& turns) {
  if (!on_kernels(images)) return turn_hue_by_torch(images, turns);
  return over_chunks(images, [&](std::size_t image, const float* from, float* to, std::int64_t pixels) {
    const auto turn = static_cast<float>(turns[image]);
    for (std::int64_t i = 0; i < pixels; ++i, from += 3, to += 3) {
      const Colour turned = with_hue({from[0], from[1], from[2]}, turn);
      to[0] = turned.r, to[1] = turned.g, to[2] = turned.b;
    }
  });
}

}  // namespace kindling::detail
