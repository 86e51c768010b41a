#include "vision/image_hash.hpp"

#include <kindling/core/error.hpp>
#include <kindling/vision/resample.hpp>

#include "vision/made_scenes.hpp"

#include <bit>

#include <gtest/gtest.h>

namespace kindling::detail {
namespace {

using test::Draws;
using test::scene;

Image reduced(const Image& rgb) {
  return resize(to_grey(rgb), {hash_side, hash_side});
}

int distance(const Image& a, const Image& b) {
  return std::popcount(perceptual_hash(reduced(a)) ^ perceptual_hash(reduced(b)));
}

/// Hashes in heaps around some centres, so that near pairs are frequent.
std::vector<std::uint64_t> heaped_hashes(std::size_t n, std::uint64_t seed) {
  Draws draws(seed);
  std::vector<std::uint64_t> hashes;
  std::uint64_t centre = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (i % 20 == 0) centre = draws.bits();
    std::uint64_t hash = centre;
    for (std::uint64_t flips = draws.bits() % 14; flips > 0; --flips) hash ^= 1ULL << (draws.bits() % 64);
    hashes.push_back(hash);
  }
  return hashes;
}

TEST(HashIndex, FindsExactlyWhatComparingAllPairsFinds) {
  const auto hashes = heaped_hashes(600, 1);
  for (const int radius : {0, 1, 3, 4, 7, 8, 11}) {
    HashIndex index(radius);
    for (std::size_t i = 0; i < hashes.size(); ++i) index.add(hashes[i], static_cast<std::uint32_t>(i));
    std::size_t pairs = 0;
    for (const std::uint64_t hash : hashes) {
      std::vector<std::pair<int, std::uint32_t>> expected, found;
      for (std::size_t i = 0; i < hashes.size(); ++i) {
        const int d = std::popcount(hash ^ hashes[i]);
        if (d <= radius) expected.emplace_back(d, static_cast<std::uint32_t>(i));
      }
      std::sort(expected.begin(), expected.end());
      for (const NearHash& n : index.near(hash)) found.emplace_back(n.distance, n.id);
      ASSERT_EQ(found, expected) << "radius " << radius;
      pairs += found.size();
    }
    EXPECT_GE(pairs, hashes.size());
    if (radius >= 4) {
      EXPECT_GT(pairs, 2 * hashes.size()) << "the heaps must hold near pairs";
    }
  }
}

TEST(HashIndex, RefusesARadiusThatItCannotSearch) {
  EXPECT_THROW(HashIndex(-1), Error);
  EXPECT_THROW(HashIndex(12), Error);
}

TEST(PerceptualHash, CopiesStayNearAndOtherPicturesFar) {
  std::vector<Image> scenes;
  for (std::uint64_t seed = 0; seed < 20; ++seed) scenes.push_back(scene(seed));
  for (std::size_t i = 0; i < scenes.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_LE(distance(scenes[i], resize(scenes[i], {120, 90})), 4);
    EXPECT_LE(distance(scenes[i], resize(scenes[i], {200, 200})), 4);
    EXPECT_LE(distance(scenes[i], decode_image(encode_jpeg(scenes[i], 30))), 4);
    EXPECT_LE(distance(scenes[i], test::lighter(scenes[i], 25)), 6);
    for (std::size_t k = 0; k < i; ++k) EXPECT_GT(distance(scenes[i], scenes[k]), 11) << k;
  }
}

TEST(PerceptualHash, OfAMirroredPictureIsTheMirroredHash) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Image grey = reduced(scene(seed));
    const std::uint64_t of_mirrored = perceptual_hash(test::mirrored_copy(grey));
    EXPECT_LE(std::popcount(of_mirrored ^ mirrored(perceptual_hash(grey))), 1) << seed;
  }
}

TEST(Thumbnail, CorrelationIsOneForALighterCopyAndSmallForAnotherPicture) {
  const Image a = reduced(scene(1)), b = reduced(scene(2));
  EXPECT_NEAR(correlation(thumbnail_of(a), thumbnail_of(a), false), 1, 1e-9);
  EXPECT_NEAR(correlation(thumbnail_of(a), thumbnail_of(test::mirrored_copy(a)), true), 1, 1e-9);
  EXPECT_GT(correlation(thumbnail_of(a), thumbnail_of(test::lighter(a, 10)), false), 0.99);
  EXPECT_LT(correlation(thumbnail_of(a), thumbnail_of(b), false), 0.8);
  EXPECT_EQ(correlation(thumbnail_of(a), Thumbnail{}, false), 0);
}

}  // namespace
}  // namespace kindling::detail
