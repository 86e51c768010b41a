#include "vision/jpeg_scan.hpp"

#include "vision/made_scenes.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

namespace kindling::detail {
namespace {

using test::scene;

const fs::path golden_photos = fs::path(KINDLING_SOURCE_DIR) / "tests/golden/vision/images";

/// The largest difference from what the decoder gives at an eighth; brightness is what it stores.
int worst_difference(const Image& scanned, ByteSpan jpeg) {
  const Image decoded = decode_image(
      jpeg, {.mode = ColorMode::L, .exif_orientation = false, .reduction = [](Size) { return 8; }});
  EXPECT_EQ(scanned.size(), decoded.size());
  if (scanned.size() != decoded.size()) return 255;
  int worst = 0;
  for (std::size_t i = 0; i < scanned.bytes(); ++i)
    worst = std::max(worst, std::abs(scanned.data()[i] - decoded.data()[i]));
  return worst;
}

/// Whether the decoder reads it without a complaint.
bool is_whole(ByteSpan bytes) {
  try {
    return decode_picture(bytes, {}).trouble.empty();
  } catch (const Error&) {
    return false;
  }
}

TEST(JpegScan, GivesTheBrightnessThatTheDecoderGives) {
  for (const int quality : {10, 50, 90, 100}) {
    for (const Size size : {Size{240, 180}, Size{233, 171}, Size{8, 8}, Size{1, 1}, Size{17, 300}}) {
      const Bytes grey = encode_jpeg(to_grey(scene(4, size)), quality);
      const auto of_grey = scan_jpeg(grey);
      ASSERT_TRUE(of_grey.has_value()) << size.width << " at " << quality;
      EXPECT_EQ(of_grey->info.size, size);
      EXPECT_EQ(of_grey->info.channels, 1);
      EXPECT_LE(worst_difference(of_grey->grey, grey), 1);
      const Bytes colour = encode_jpeg(scene(4, size), quality);
      const auto of_colour = scan_jpeg(colour);
      ASSERT_TRUE(of_colour.has_value());
      EXPECT_EQ(of_colour->info.channels, 3);
      // The decoder goes by way of RGB, which cuts off colours that do not exist.
      EXPECT_LE(worst_difference(of_colour->grey, colour), quality == 10 ? 24 : 6)
          << size.width << " at " << quality;
    }
  }
}

TEST(JpegScan, ReadsSubsamplingsRestartsAndOrientations) {
  for (const std::string name : {"jpeg_420.jpg", "jpeg_422.jpg", "jpeg_444.jpg", "jpeg_restart.jpg",
                                 "jpeg_grey.jpg", "jpeg_trailing.jpg"}) {
    const Bytes jpeg = read_file(golden_photos / name);
    const auto scan = scan_jpeg(jpeg);
    ASSERT_TRUE(scan.has_value()) << name;
    const ImageInfo info = image_info(jpeg);
    EXPECT_EQ(scan->info.size, info.size) << name;
    EXPECT_EQ(scan->info.channels, info.channels) << name;
    EXPECT_LE(worst_difference(scan->grey, jpeg), 12) << name;
  }
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto scan = scan_jpeg(read_file(golden_photos / ("jpeg_exif_" + std::to_string(orientation) + ".jpg")));
    ASSERT_TRUE(scan.has_value()) << orientation;
    EXPECT_EQ(scan->info.orientation, orientation);
  }
}

TEST(JpegScan, LeavesWhatIsNotOrdinaryToTheDecoder) {
  for (const auto& entry : fs::directory_iterator(golden_photos)) {
    const std::string name = entry.path().filename().string();
    const bool leaves = name.find("jpeg") != 0 || name == "jpeg_progressive.jpg" || name == "jpeg_cmyk.jpg" ||
                        name == "jpeg_ycck.jpg" || name == "jpeg_rgb.jpg";
    if (leaves) {
      EXPECT_FALSE(scan_jpeg(read_file(entry.path())).has_value()) << name;
    }
  }
  EXPECT_FALSE(scan_jpeg({}).has_value());
}

TEST(JpegScan, NoCutFileIsTakenForWhole) {
  const Bytes jpeg = encode_jpeg(scene(2, {64, 48}), 70);
  ASSERT_TRUE(scan_jpeg(jpeg).has_value());
  for (std::size_t n = 0; n < jpeg.size(); ++n)
    EXPECT_FALSE(scan_jpeg(std::span(jpeg).first(n)).has_value()) << n;
}

/// What the scan takes for whole, the decoder does too, however the bytes were changed.
TEST(JpegScan, ChangedFilesAreNeverBetterThanTheDecoderFindsThem) {
  test::Draws draws(11);
  std::vector<Bytes> files = {encode_jpeg(scene(2, {64, 48}), 70),
                              encode_jpeg(to_grey(scene(3, {50, 40})), 95),
                              read_file(golden_photos / "jpeg_restart.jpg"), read_file(golden_photos / "jpeg_444.jpg")};
  int taken = 0;
  for (int round = 0; round < 6000; ++round) {
    Bytes bytes = files[static_cast<std::size_t>(round) % files.size()];
    for (std::uint64_t changes = 1 + draws.bits() % 3; changes > 0; --changes) {
      const std::size_t at = draws.bits() % bytes.size();
      if (draws.bits() % 4 == 0)
        bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at));
      else
        bytes[at] = static_cast<std::uint8_t>(draws.bits());
    }
    if (!scan_jpeg(bytes)) continue;
    ++taken;
    ASSERT_TRUE(is_whole(bytes)) << "round " << round;
  }
  EXPECT_GT(taken, 300) << "the test must see files that are taken";
}

}  // namespace
}  // namespace kindling::detail
