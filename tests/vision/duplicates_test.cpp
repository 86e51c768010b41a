#include "vision/duplicates.hpp"

#include <kindling/vision/resample.hpp>

#include "core/temporary_folder.hpp"
#include "vision/made_scenes.hpp"
#include "vision/same_picture.hpp"

#include <gmock/gmock.h>

namespace kindling::detail {
namespace {

using test::scene;
using ::testing::ElementsAre;

bool same(const Image& a, const Image& b, bool mirror = false) {
  return same_picture(fine_picture(a), fine_picture(b), mirror);
}

/// A square of one colour in the upper left.
Image with_square(const Image& image, int side, std::uint8_t value) {
  Image out = test::lighter(image, 0);
  for (int y = 20; y < 20 + side; ++y) std::fill_n(out.row(y) + 3 * 20, 3 * side, value);
  return out;
}

/// The same brightness in other colours.
Image recoloured(const Image& image) {
  Image out(image.size(), 3);
  for (std::size_t i = 0; i < image.bytes(); i += 3) {
    const std::uint8_t* p = image.data() + i;
    const int luma = (299 * p[0] + 587 * p[1] + 114 * p[2]) / 1000;
    for (int c = 0; c < 3; ++c)
      out.data()[i + c] = static_cast<std::uint8_t>(std::clamp(2 * luma - p[c], 0, 255));
  }
  return out;
}

TEST(SamePicture, CopiesAreTheSame) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    SCOPED_TRACE(seed);
    const Image a = scene(seed);
    EXPECT_TRUE(same(a, resize(a, {120, 90})));
    EXPECT_TRUE(same(a, resize(a, {224, 224})));
    EXPECT_TRUE(same(a, decode_image(encode_jpeg(a, 30))));
    EXPECT_TRUE(same(a, test::lighter(a, 15)));
    EXPECT_TRUE(same(a, test::mirrored_copy(a), true));
    EXPECT_FALSE(same(a, test::mirrored_copy(a)));
  }
}

TEST(SamePicture, AnotherThingOrColourInItTellsThemApart) {
  const Image a = scene(3);
  EXPECT_FALSE(same(a, scene(4)));
  EXPECT_FALSE(same(with_square(a, 24, 0), with_square(a, 24, 255)));
  EXPECT_FALSE(same(a, recoloured(a)));
}

TEST(SamePicture, AGreyCopyIsTheSame) {
  const Image a = scene(5);
  const Image grey = decode_image(encode_jpeg(to_grey(a)));
  EXPECT_TRUE(same(a, grey));
}

class Copies : public ::testing::Test {
 protected:
  std::vector<Lookalikes> look() {
    facts_ = examine_images(paths_, {.threads = 2});
    pointers_.clear();
    for (const ImageFacts& f : facts_) pointers_.push_back(&f);
    return similar_pictures(paths_, pointers_, {.threads = 2});
  }
  void add(const Image& image, int quality = 90) {
    paths_.push_back(folder_ / (std::to_string(paths_.size()) + ".jpg"));
    test::save(paths_.back(), image, quality);
  }

  kindling::testing::TemporaryFolder folder_;
  Paths paths_;
  std::vector<ImageFacts> facts_;
  std::vector<const ImageFacts*> pointers_;
};

TEST_F(Copies, EqualFilesAreFoundByTheirBytes) {
  add(scene(1));
  add(scene(2));
  add(scene(1));
  add(scene(2), 80);
  add(scene(1));
  look();
  EXPECT_THAT(equal_files(pointers_), ElementsAre(ElementsAre(0, 2, 4)));
}

TEST_F(Copies, LookalikesAreFoundAndOthersLeftAlone) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) add(scene(seed));
  add(resize(scene(3), {120, 90}));
  add(scene(5), 40);
  add(test::mirrored_copy(scene(7)));
  add(test::lighter(scene(3), 12));
  const auto found = look();
  ASSERT_EQ(found.size(), 3u);
  EXPECT_THAT(found[0].pictures, ElementsAre(3, 12, 15));
  EXPECT_THAT(found[0].mirrored, ElementsAre(false, false, false));
  EXPECT_THAT(found[1].pictures, ElementsAre(5, 13));
  EXPECT_THAT(found[2].pictures, ElementsAre(7, 14));
  EXPECT_THAT(found[2].mirrored, ElementsAre(false, true));
}

TEST_F(Copies, OfEqualFilesTheFirstStandsForAll) {
  add(scene(1));
  add(scene(1));
  add(scene(1), 50);
  const auto found = look();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THAT(found[0].pictures, ElementsAre(0, 2));
}

TEST_F(Copies, TinyAndUniformPicturesAreNotCalledAlike) {
  add(scene(1, {64, 64}));
  add(scene(1, {64, 64}), 60);
  Image grey({200, 200}, 3);
  std::fill_n(grey.data(), grey.bytes(), std::uint8_t{90});
  add(grey);
  add(test::lighter(grey, 3));
  EXPECT_TRUE(look().empty());
  EXPECT_LE(facts_[2].contrast, 2);
}

TEST_F(Copies, ManyPicturesOfOneKindAreStillTold) {
  // One background and a thing that is elsewhere in each: thumbnails are alike, pictures are not.
  const Image background = scene(9);
  for (int i = 0; i < 10; ++i) {
    Image image = test::lighter(background, 0);
    for (int y = 0; y < 30; ++y)
      std::fill_n(image.row(20 + 10 * i + y) + 3 * 15 * i, 3 * 30, std::uint8_t{255});
    add(image);
  }
  EXPECT_TRUE(look().empty());
  add(background, 60);
  add(background, 90);
  const auto found = look();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THAT(found[0].pictures, ElementsAre(10, 11));
}

TEST_F(Copies, TheResultDoesNotDependOnTheNumberOfThreads) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    add(scene(seed));
    add(scene(seed), 50);
  }
  const auto one = look();
  facts_ = examine_images(paths_, {.threads = 1});
  pointers_.clear();
  for (const ImageFacts& f : facts_) pointers_.push_back(&f);
  const auto other = similar_pictures(paths_, pointers_, {.threads = 1});
  ASSERT_EQ(one.size(), 6u);
  ASSERT_EQ(other.size(), 6u);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].pictures, other[i].pictures);
}

}  // namespace
}  // namespace kindling::detail
