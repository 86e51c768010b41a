#include <kindling/core/error.hpp>
#include <kindling/core/files.hpp>
#include <kindling/vision/codec.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace kindling {
namespace {

using ::testing::HasSubstr;

const fs::path golden_folder = fs::path(KINDLING_SOURCE_DIR) / "tests/golden/vision";

Bytes golden_file(const std::string& name) {
  return read_file(golden_folder / "images" / name);
}

const nlohmann::json& golden_images() {
  static const auto json = nlohmann::json::parse(read_text(golden_folder / "images.json"));
  return json;
}

std::string pixels_sha(const Image& image) {
  return sha256_of(std::span(image.data(), image.bytes()));
}

Bytes bytes_of(std::string_view text) {
  return Bytes(text.begin(), text.end());
}

Error error_of(std::span<const std::uint8_t> bytes, const DecodeOptions& options = {}) {
  try {
    decode_image(bytes, options);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorCode::internal, "no error");
}

/// Calls `check(name, golden, bytes)` for every golden picture that Pillow reads.
template <class Check>
void each_readable(const Check& check) {
  int seen = 0;
  for (const auto& [name, golden] : golden_images().items()) {
    if (golden.contains("error")) continue;
    SCOPED_TRACE(name);
    check(name, golden, golden_file(name));
    ++seen;
  }
  EXPECT_GT(seen, 70);
}

TEST(Codec, RgbPixelsOfEveryFormatAreThoseOfPillow) {
  each_readable([](const std::string&, const nlohmann::json& golden, const Bytes& bytes) {
    const Image image = decode_image(bytes, {.exif_orientation = false});
    EXPECT_EQ(image.channels(), 3);
    EXPECT_EQ(image.width(), golden["size"][0].get<int>());
    EXPECT_EQ(image.height(), golden["size"][1].get<int>());
    EXPECT_EQ(pixels_sha(image), golden["rgb"].get<std::string>());
  });
}

TEST(Codec, GreyPixelsOfEveryFormatAreThoseOfPillow) {
  each_readable([](const std::string&, const nlohmann::json& golden, const Bytes& bytes) {
    const Image image = decode_image(bytes, {.mode = ColorMode::L, .exif_orientation = false});
    EXPECT_EQ(image.channels(), 1);
    EXPECT_EQ(pixels_sha(image), golden["l"].get<std::string>());
  });
}

TEST(Codec, ExifOrientationTurnsAsPillowDoes) {
  each_readable([](const std::string&, const nlohmann::json& golden, const Bytes& bytes) {
    EXPECT_EQ(pixels_sha(decode_image(bytes)), golden["upright"].get<std::string>());
  });
}

TEST(Codec, OrientationIsFoundInJpegPngWebpAndTiff) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(image_info(golden_file("jpeg_exif_" + std::to_string(orientation) + ".jpg")).orientation,
              orientation);
  }
  EXPECT_EQ(image_info(golden_file("png_exif_6.png")).orientation, 6);
  EXPECT_EQ(image_info(golden_file("webp_exif_8.webp")).orientation, 8);
  EXPECT_EQ(image_info(golden_file("tiff_orientation_3.tif")).orientation, 3);
}

TEST(Codec, HeaderTellsFormatSizeAndChannelsWithoutDecoding) {
  struct Case {
    std::string name;
    ImageFormat format;
    int channels;
  };
  const Case cases[] = {
      {"jpeg_420.jpg", ImageFormat::jpeg, 3},      {"jpeg_grey.jpg", ImageFormat::jpeg, 1},
      {"jpeg_cmyk.jpg", ImageFormat::jpeg, 4},     {"png_rgba.png", ImageFormat::png, 4},
      {"png_grey_alpha.png", ImageFormat::png, 2}, {"png_palette.png", ImageFormat::png, 3},
      {"webp_lossy.webp", ImageFormat::webp, 3},   {"webp_lossless_alpha.webp", ImageFormat::webp, 4},
      {"gif_palette.gif", ImageFormat::gif, 3},    {"bmp_rgb.bmp", ImageFormat::bmp, 3},
      {"tiff_grey.tif", ImageFormat::tiff, 1},     {"tiff_palette.tif", ImageFormat::tiff, 3},
  };
  for (const auto& [name, format, channels] : cases) {
    SCOPED_TRACE(name);
    const auto info = image_info(golden_file(name));
    EXPECT_EQ(info.format, format);
    EXPECT_EQ(info.size, (Size{43, 29}));
    EXPECT_EQ(info.channels, channels);
    EXPECT_EQ(info.orientation, 1);
  }
}

TEST(Codec, WhatPillowRefusesIsAnError) {
  int seen = 0;
  for (const auto& [name, golden] : golden_images().items()) {
    if (!golden.contains("error")) continue;
    SCOPED_TRACE(name);
    const Error error = error_of(golden_file(name));
    EXPECT_EQ(error.code(), ErrorCode::bad_image);
    EXPECT_THAT(error.message(), HasSubstr(name.starts_with("truncated") ? "is truncated" : "is damaged"));
    EXPECT_FALSE(error.hint().empty());
    ++seen;
  }
  EXPECT_GE(seen, 8);
}

TEST(Codec, TruncatedJpegIsFilledWhereAllowed) {
  for (const char* name : {"truncated_baseline.jpg", "truncated_progressive.jpg", "truncated_no_end.jpg"}) {
    SCOPED_TRACE(name);
    EXPECT_EQ(pixels_sha(decode_image(golden_file(name), {.allow_truncated = true})),
              golden_images()[name]["filled"].get<std::string>());
  }
}

TEST(Codec, EveryCutOfEveryFileIsAnErrorOrAPictureOfTheSameSize) {
  each_readable([](const std::string&, const nlohmann::json&, const Bytes& bytes) {
    const Size whole = decode_image(bytes).size();
    for (std::size_t length = 0; length < bytes.size(); length += 1 + bytes.size() / 40) {
      try {
        EXPECT_EQ(decode_image(std::span(bytes).first(length)).size(), whole);
      } catch (const Error& error) {
        EXPECT_TRUE(error.code() == ErrorCode::bad_image || error.code() == ErrorCode::unsupported)
            << error.what();
      }
    }
  });
}

TEST(Codec, PixelLimitIsCheckedInEveryFormat) {
  for (const char* name : {"jpeg_420.jpg", "png_rgb.png", "webp_lossy.webp", "gif_palette.gif", "bmp_rgb.bmp",
                           "tiff_rgb_lzw.tif"}) {
    SCOPED_TRACE(name);
    const Bytes bytes = golden_file(name);
    const Error error = error_of(bytes, {.max_pixels = 43 * 29 - 1});
    EXPECT_EQ(error.code(), ErrorCode::limit);
    EXPECT_EQ(error.fact("width"), "43");
    EXPECT_EQ(error.fact("max_pixels"), "1246");
    EXPECT_NO_THROW(decode_image(bytes, {.max_pixels = 43 * 29}));
  }
}

TEST(Codec, JpegIsReducedAsAsked) {
  const Bytes bytes = golden_file("jpeg_420.jpg");
  for (const int by : {1, 2, 4, 8}) {
    Size told;
    const Image image = decode_image(bytes, {.reduction = [&](Size stored) {
                                       told = stored;
                                       return by;
                                     }});
    EXPECT_EQ(told, (Size{43, 29}));
    EXPECT_EQ(image.size(), (Size{(43 + by - 1) / by, (29 + by - 1) / by}));
  }
  const Error error = error_of(bytes, {.reduction = [](Size) { return 3; }});
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_EQ(error.fact("got"), "3");
}

TEST(Codec, ReducedJpegShowsTheSamePicture) {
  const Bytes bytes = golden_file("jpeg_444.jpg");
  const Image half = decode_image(bytes, {.reduction = [](Size) { return 2; }});
  const Image whole = decode_image(bytes);
  double difference = 0;
  for (int y = 0; y < 14; ++y) {
    for (int x = 0; x < 21 * 3; ++x) {
      const int left = x / 3 * 6 + x % 3;
      const double mean = (whole.row(2 * y)[left] + whole.row(2 * y)[left + 3] + whole.row(2 * y + 1)[left] +
                           whole.row(2 * y + 1)[left + 3]) /
                          4.0;
      difference += std::abs(mean - half.row(y)[x]);
    }
  }
  EXPECT_LT(difference / (14 * 21 * 3), 3);
}

TEST(Codec, FormatIsToldByContent) {
  EXPECT_EQ(image_format(bytes_of("\xFF\xD8\xFF\xE0")), ImageFormat::jpeg);
  EXPECT_EQ(image_format(bytes_of("GIF89a")), ImageFormat::gif);
  EXPECT_EQ(image_format(bytes_of("BM is how this text begins")), std::nullopt);
  EXPECT_EQ(image_format(bytes_of("RIFF....WAVE")), std::nullopt);
  EXPECT_EQ(image_format({}), std::nullopt);
  EXPECT_EQ(name_of(ImageFormat::webp), "WebP");
}

TEST(Codec, ErrorSaysWhatANonPictureLooksLike) {
  struct Case {
    std::string bytes;
    ErrorCode code;
    std::string message;
  };
  using std::string_literals::operator""s;
  const Case cases[] = {
      {"", ErrorCode::bad_image, "the file is empty"},
      {"\n <!DOCTYPE html><html>", ErrorCode::bad_image, "a web page (HTML)"},
      {"<?xml version='1.0'?><svg width='3'/>", ErrorCode::unsupported, "an SVG drawing"},
      {"Not found", ErrorCode::bad_image, "it is text"},
      {"%PDF-1.7\n", ErrorCode::bad_image, "a PDF document"},
      {"PK\x03\x04....", ErrorCode::bad_image, "a ZIP archive"},
      {"\0\0\0\x1C"s + "ftypavif", ErrorCode::unsupported, "an AVIF picture"},
      {"\0\0\0\x1C"s + "ftypheic", ErrorCode::unsupported, "a HEIC picture"},
      {std::string(100, '\0'), ErrorCode::bad_image, "zero bytes"},
      {"\x01\x02\x03\x04", ErrorCode::bad_image, "no known picture format"},
  };
  for (const auto& [bytes, code, message] : cases) {
    SCOPED_TRACE(message);
    const Error error = error_of(bytes_of(bytes));
    EXPECT_EQ(error.code(), code);
    EXPECT_THAT(error.message(), HasSubstr(message));
    EXPECT_FALSE(error.hint().empty());
    EXPECT_THROW(image_info(bytes_of(bytes)), Error);
  }
  EXPECT_EQ(error_of(bytes_of("Not found")).fact("begins"), "Not found");
}

TEST(Codec, OpenNamesTheFileInItsError) {
  const fs::path path = golden_folder / "images.json";
  try {
    open_image(path);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_image);
    EXPECT_EQ(error.fact("path"), path.string());
  }
  EXPECT_EQ(pixels_sha(open_image(golden_folder / "images/png_rgb.png")),
            golden_images()["png_rgb.png"]["rgb"].get<std::string>());
}

TEST(Codec, PngKeepsEveryPixel) {
  for (const auto mode : {ColorMode::RGB, ColorMode::L}) {
    const Image image = decode_image(golden_file("png_rgb.png"), {.mode = mode});
    const Bytes bytes = encode_png(image);
    EXPECT_EQ(image_info(bytes).channels, image.channels());
    EXPECT_EQ(pixels_sha(decode_image(bytes, {.mode = mode})), pixels_sha(image));
  }
}

TEST(Codec, JpegKeepsThePictureAndQualityShowsInItsSize) {
  const Image image = decode_image(golden_file("png_rgb.png"));
  const Bytes good = encode_jpeg(image, 95), poor = encode_jpeg(image, 20);
  EXPECT_LT(poor.size(), good.size());
  const Image again = decode_image(good);
  ASSERT_EQ(again.size(), image.size());
  double difference = 0;
  for (std::size_t i = 0; i < image.bytes(); ++i) difference += std::abs(image.data()[i] - again.data()[i]);
  EXPECT_LT(difference / image.bytes(), 8);
  EXPECT_EQ(image_info(encode_jpeg(to_grey(image))).channels, 1);
  EXPECT_THROW(encode_jpeg(image, 0), Error);
}

TEST(Codec, EncodersRefuseChannelsTheFormatLacks) {
  const Image two({3, 3}, 2);
  EXPECT_THROW(encode_png(two), Error);
  EXPECT_THROW(encode_jpeg(two), Error);
  EXPECT_THROW(to_grey(two), Error);
}

TEST(ImagePixels, EmptySizeAndChannelsOutsideOneToFourAreRefused) {
  EXPECT_THROW(Image({0, 3}, 3), Error);
  EXPECT_THROW(Image({3, -1}, 3), Error);
  EXPECT_THROW(Image({3, 3}, 0), Error);
  EXPECT_THROW(Image({3, 3}, 5), Error);
  EXPECT_THROW(Image({2147483647, 2147483647}, 4), Error);
}

TEST(ImagePixels, CopiesShareTheirPixels) {
  Image image({2, 2}, 1);
  const Image copy = image;
  image.row(1)[1] = 77;
  EXPECT_EQ(copy.row(1)[1], 77);
  EXPECT_EQ(image.stride(), 2u);
  EXPECT_TRUE(Image().empty());
}

}  // namespace
}  // namespace kindling
