#include <kindling/core/error.hpp>
#include <kindling/vision/resize.hpp>

#include "golden.hpp"
#include "vision/drawn_picture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using testing::drawn;
using testing::golden;

TEST(Resize, EveryGoldenCaseEqualsFastaisPixelsWithTheDrawsGiven) {
  const Json file = golden("vision/resize_transform.json");
  int compared = 0;
  for (const Json& c : file.at("cases")) {
    const Resize resize(Size{c.at("target").at("width").get<int>(), c.at("target").at("height").get<int>()},
                        {.method = resize_method_from(c.at("method").get<std::string>()),
                         .pad_mode = pad_mode_from(c.at("pad_mode").get<std::string>())});
    const auto kind = c.at("kind").get<std::string>();
    const Image source = drawn(kind, c.at("width").get<int>(), c.at("height").get<int>());
    auto resized = [&](const auto& member) {
      return c.at("draws").is_null()
                 ? resize.encodes(member, {.split = Split::valid})
                 : resize.apply(member, c.at("draws")[0].get<double>(), c.at("draws")[1].get<double>());
    };
    const Image result = kind == "mask" ? resized(Mask{source}).image : resized(source);
    EXPECT_EQ(sha256_of(std::span(result.data(), result.bytes())), c.at("sha256").get<std::string>()) << c;
    ++compared;
  }
  EXPECT_EQ(compared, 188);
}

TEST(Resize, TrainingCropsMoveWithTheItemAndStayForTheSameOne) {
  const Image source = drawn("RGB", 90, 30);
  const Resize resize(30);
  auto first_byte = [&](std::int64_t item) {
    return resize.encodes(source, {.split = Split::train, .seed = 5, .item = item}).data()[0];
  };
  std::set<int> seen;
  for (std::int64_t item = 0; item < 10; ++item) seen.insert(first_byte(item));
  EXPECT_GT(seen.size(), 3u);
  EXPECT_EQ(first_byte(3), first_byte(3));
}

TEST(Resize, ReducedDecodingLeavesTwiceTheTarget) {
  const Resize crop(100);
  EXPECT_EQ(crop.reduction({399, 1000}), 1);
  EXPECT_EQ(crop.reduction({400, 1000}), 2);
  EXPECT_EQ(crop.reduction({1000, 800}), 4);
  EXPECT_EQ(crop.reduction({1600, 1600}), 8);
  EXPECT_EQ(Resize(100, {.method = ResizeMethod::pad}).reduction({100, 1600}), 8);
  EXPECT_EQ(Resize(100, {.method = ResizeMethod::squish}).reduction({100, 1600}), 1);
}

TEST(Resize, JsonMakesTheSameTransform) {
  const Resize resize(
      Size{20, 10}, {.method = ResizeMethod::pad, .pad_mode = PadMode::zeros, .resample = Resample::lanczos});
  EXPECT_EQ(Resize::from_json(resize.to_json()).to_json(), resize.to_json());
  EXPECT_EQ(resize.to_json().at("size").dump(), "[10,20]");
}

TEST(Resize, NamesThatAreNotKnownTellTheKnownOnes) {
  try {
    resize_method_from("stretch");
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.hint(), ::testing::HasSubstr("crop, pad, squish"));
  }
  EXPECT_THROW(Resize(0), Error);
}

TEST(CropPad, ReflectionRepeatsForPaddingLargerThanThePicture) {
  Image row({3, 1}, 1);
  row.data()[0] = 1, row.data()[1] = 2, row.data()[2] = 3;
  const Image padded = crop_pad(row, {11, 1}, -4, 0, PadMode::reflection);
  EXPECT_THAT(std::vector<int>(padded.data(), padded.data() + 11),
              ::testing::ElementsAre(1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3));
}

}  // namespace kindling
