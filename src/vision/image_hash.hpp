#pragma once
/// Pictures known again by how they look: 63 bits that stay nearly the same when a picture is resized, saved
/// again or made a little lighter, and an index that finds near ones among many.

#include <kindling/data/image.hpp>

#include <array>
#include <cstdint>
#include <vector>

namespace kindling::detail {

inline constexpr int hash_side = 32;
inline constexpr int thumbnail_side = 16;
using Thumbnail = std::array<std::uint8_t, thumbnail_side * thumbnail_side>;

/// Signs of the 8 x 8 lowest coefficients of the cosine transform of a 32 x 32 grey picture; the bit of the
/// constant part is 0. (Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010;
/// with the sign in place of the median.)
std::uint64_t perceptual_hash(const Image& grey);

/// The hash of the same picture mirrored left to right: that turns the sign of every odd frequency across.
constexpr std::uint64_t mirrored(std::uint64_t hash) {
  return hash ^ 0xAAAA'AAAA'AAAA'AAAAULL;
}

/// A 32 x 32 grey picture halved.
Thumbnail thumbnail_of(const Image& grey);

/// Pearson's correlation of two thumbnails, the second one mirrored if wanted; 0 where one is uniform.
double correlation(const Thumbnail& a, const Thumbnail& b, bool mirror);

struct NearHash {
  std::uint32_t id = 0;
  int distance = 0;  ///< bits that differ
};

/// Finds hashes that differ from a given one in few bits. Of four quarters of such a pair at least one
/// differs in no more than a quarter of these bits, so only entries with a quarter so near are compared
/// (multi-index hashing: Norouzi, Punjani, Fleet, 2012).
class HashIndex {
 public:
  /// `radius` is 0..11. Throws `usage` for others.
  explicit HashIndex(int radius);
  void add(std::uint64_t hash, std::uint32_t id);
  /// Every entry within the radius, the nearest first, then by id.
  std::vector<NearHash> near(std::uint64_t hash) const;

 private:
  struct Entry {
    std::uint64_t hash;
    std::uint32_t id;
  };
  static constexpr int quarters = 4;
  static constexpr int quarter_bits = 16;

  int radius_;
  std::vector<std::uint16_t> changes_;  ///< what a quarter may differ by
  std::array<std::vector<std::vector<Entry>>, quarters> buckets_;
};

}  // namespace kindling::detail
