#include <kindling/core/error.hpp>
#include <kindling/core/files.hpp>
#include <kindling/vision/codec.hpp>
#include <kindling/vision/resample.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <nlohmann/json.hpp>

namespace kindling {
namespace {

constexpr Resample filters[] = {Resample::nearest, Resample::bilinear, Resample::bicubic,
                                Resample::lanczos, Resample::box,      Resample::hamming};

/// The pictures of make_images.py's `draw`.
Image drawn(Size size, std::uint32_t seed) {
  Image image(size, 3);
  for (std::size_t i = 0; i < image.bytes(); ++i) {
    seed = 1664525 * seed + 1013904223;
    image.data()[i] = static_cast<std::uint8_t>(seed >> 24);
  }
  return image;
}

std::string digits_of(const Image& image) {
  return sha256_of(std::span(image.data(), image.bytes())).substr(0, 16);
}

int mismatches_with_pillow() {
  static const auto cases =
      nlohmann::json::parse(read_text(fs::path(KINDLING_SOURCE_DIR) / "tests/golden/vision/resize.json"));
  EXPECT_GE(cases.size(), 100u);
  int mismatches = 0;
  for (const auto& golden : cases) {
    const Image rgb = drawn({golden["source"][0], golden["source"][1]}, golden["seed"]);
    const Image image = golden["mode"].get<std::string>() == "L" ? to_grey(rgb) : rgb;
    const Size size{golden["size"][0], golden["size"][1]};
    const Box box{golden["box"][0], golden["box"][1], golden["box"][2], golden["box"][3]};
    for (std::size_t i = 0; i < std::size(filters); ++i) {
      mismatches += digits_of(resize(image, size, filters[i])) != golden["whole"][i].get<std::string>();
      mismatches += digits_of(resize(image, box, size, filters[i])) != golden["boxed"][i].get<std::string>();
    }
  }
  return mismatches;
}

TEST(Resize, EqualsPillowForAllFiltersUpDownAndBoxed) {
  EXPECT_EQ(mismatches_with_pillow(), 0);
}

TEST(Resize, EqualsPillowOnEveryInstructionSetOfThisProcessor) {
  const std::int64_t all = hwy::SupportedTargets();
  int tried = 0;
  for (std::int64_t left = all; left != 0; left &= left - 1) {
    const std::int64_t target = left & -left;
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();
    EXPECT_EQ(mismatches_with_pillow(), 0);
    ++tried;
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
  EXPECT_GE(tried, 1);
}

TEST(Resize, SameSizeKeepsThePixelsWithoutACopy) {
  const Image image = drawn({9, 5}, 1);
  EXPECT_EQ(resize(image, {9, 5}, Resample::lanczos).data(), image.data());
}

TEST(Resize, BoxOfTheTargetSizeIsACrop) {
  const Image image = drawn({9, 5}, 1);
  const Image crop = resize(image, Box{2, 1, 6, 4}, {4, 3}, Resample::bicubic);
  for (int y = 0; y < 3; ++y) {
    EXPECT_TRUE(std::equal(crop.row(y), crop.row(y) + 12, image.row(y + 1) + 6)) << "row " << y;
  }
}

TEST(Resize, ReductionByThousandsStaysExact) {
  Image white({3, 40000}, 3);
  std::fill_n(white.data(), white.bytes(), std::uint8_t{255});
  for (const auto filter : filters) {
    const Image small = resize(white, {2, 1}, filter);
    EXPECT_TRUE(
        std::all_of(small.data(), small.data() + small.bytes(), [](int value) { return value == 255; }));
  }
}

TEST(Resize, NothingAndBoxesOutsideAreUsageErrors) {
  const Image image = drawn({9, 5}, 1);
  const auto message_of = [](auto&& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      return error.message();
    }
    return "no error";
  };
  EXPECT_EQ(message_of([&] { resize(image, {0, 4}); }), "a picture cannot be resized to nothing");
  EXPECT_EQ(message_of([&] { resize(Image(), {4, 4}); }), "an empty picture cannot be resized");
  EXPECT_EQ(message_of([&] { resize(Image({4, 4}, 2), {4, 4}); }), "a picture to resize has 1 or 3 channels");
  for (const Box& box :
       {Box{-1, 0, 4, 4}, Box{0, 0, 10, 4}, Box{0, 0, 4, 6}, Box{4, 0, 4, 4}, Box{0, 4, 4, 3}}) {
    EXPECT_EQ(message_of([&] {
                resize(image, box, {4, 4});
              }),
              "the box to resize does not lie inside the picture");
  }
}

}  // namespace
}  // namespace kindling
