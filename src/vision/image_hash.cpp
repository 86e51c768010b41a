#include "vision/image_hash.hpp"

#include <kindling/core/error.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

namespace kindling::detail {

namespace {

constexpr int frequencies = 8;
constexpr int longest_radius = 11;

using CosineTable = std::array<std::array<float, hash_side>, frequencies>;

const CosineTable& cosines() {
  static const CosineTable table = [] {
    CosineTable t{};
    for (int u = 0; u < frequencies; ++u) {
      for (int x = 0; x < hash_side; ++x)
        t[u][x] = static_cast<float>(std::cos((2 * x + 1) * u * std::numbers::pi / (2 * hash_side)));
    }
    return t;
  }();
  return table;
}

std::uint16_t quarter_of(std::uint64_t hash, int q) {
  return static_cast<std::uint16_t>(hash >> (16 * q));
}

}  // namespace

std::uint64_t perceptual_hash(const Image& grey) {
  const CosineTable& c = cosines();
  std::array<std::array<float, frequencies>, hash_side> across{};
  for (int y = 0; y < hash_side; ++y) {
    const std::uint8_t* row = grey.row(y);
    for (int u = 0; u < frequencies; ++u) {
      float sum = 0;
      for (int x = 0; x < hash_side; ++x) sum += c[u][x] * row[x];
      across[y][u] = sum;
    }
  }
  std::uint64_t hash = 0;
  for (int v = 0; v < frequencies; ++v) {
    for (int u = 0; u < frequencies; ++u) {
      float sum = 0;
      for (int y = 0; y < hash_side; ++y) sum += c[v][y] * across[y][u];
      if (sum > 0 && u + v > 0) hash |= std::uint64_t{1} << (v * frequencies + u);
    }
  }
  return hash;
}

Thumbnail thumbnail_of(const Image& grey) {
  Thumbnail out{};
  for (int y = 0; y < thumbnail_side; ++y) {
    const std::uint8_t* upper = grey.row(2 * y);
    const std::uint8_t* lower = grey.row(2 * y + 1);
    for (int x = 0; x < thumbnail_side; ++x) {
      const int sum = upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1];
      out[y * thumbnail_side + x] = static_cast<std::uint8_t>((sum + 2) / 4);
    }
  }
  return out;
}

double correlation(const Thumbnail& a, const Thumbnail& b, bool mirror) {
  double sum_a = 0, sum_b = 0, sum_aa = 0, sum_bb = 0, sum_ab = 0;
  for (int y = 0; y < thumbnail_side; ++y) {
    for (int x = 0; x < thumbnail_side; ++x) {
      const double va = a[y * thumbnail_side + x];
      const double vb = b[y * thumbnail_side + (mirror ? thumbnail_side - 1 - x : x)];
      sum_a += va;
      sum_b += vb;
      sum_aa += va * va;
      sum_bb += vb * vb;
      sum_ab += va * vb;
    }
  }
  constexpr double n = thumbnail_side * thumbnail_side;
  const double spread = (sum_aa - sum_a * sum_a / n) * (sum_bb - sum_b * sum_b / n);
  return spread > 0 ? (sum_ab - sum_a * sum_b / n) / std::sqrt(spread) : 0;
}

HashIndex::HashIndex(int radius) : radius_(radius) {
  if (radius < 0 || radius > longest_radius) {
    throw Error(ErrorCode::usage, "hashes are compared within 0 to 11 bits", {{"got", radius}});
  }
  for (int change = 0; change < 1 << quarter_bits; ++change) {
    if (std::popcount(static_cast<unsigned>(change)) <= radius / quarters)
      changes_.push_back(static_cast<std::uint16_t>(change));
  }
  for (auto& quarter : buckets_) quarter.resize(1 << quarter_bits);
}

void HashIndex::add(std::uint64_t hash, std::uint32_t id) {
  for (int q = 0; q < quarters; ++q) buckets_[q][quarter_of(hash, q)].push_back({hash, id});
}

std::vector<NearHash> HashIndex::near(std::uint64_t hash) const {
  std::vector<NearHash> found;
  for (int q = 0; q < quarters; ++q) {
    for (const std::uint16_t change : changes_) {
      for (const Entry& entry : buckets_[q][quarter_of(hash, q) ^ change]) {
        const int distance = std::popcount(entry.hash ^ hash);
        if (distance <= radius_) found.push_back({entry.id, distance});
      }
    }
  }
  const auto key = [](const NearHash& n) { return std::pair(n.distance, n.id); };
  std::ranges::sort(found, {}, key);
  const auto repeated = std::ranges::unique(found, {}, &NearHash::id);
  found.erase(repeated.begin(), repeated.end());
  return found;
}

}  // namespace kindling::detail
