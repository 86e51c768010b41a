#include <kindling/vision/codec.hpp>
#include <kindling/vision/resample.hpp>
#include <kindling/vision/resize_images.hpp>

#include "core/temporary_folder.hpp"
#include "vision/shrink.hpp"

#include <gmock/gmock.h>

namespace kindling {
namespace {

using testing::TemporaryFolder;

Image plain_picture(int width, int height) {
  Image image({width, height}, 3);
  for (std::size_t i = 0; i < image.bytes(); ++i) image.data()[i] = static_cast<std::uint8_t>(i * i / 3);
  return image;
}

class ResizeImages : public ::testing::Test {
 protected:
  void put(const fs::path& name, const Bytes& bytes) const {
    fs::create_directories((folder_ / "in" / name).parent_path());
    write_file(folder_ / "in" / name, std::span<const std::uint8_t>(bytes));
  }
  TemporaryFolder folder_;
};

TEST_F(ResizeImages, ScalesLargePicturesAndCopiesTheOthers) {
  put("large.png", encode_png(plain_picture(300, 200)));
  put("small.png", encode_png(plain_picture(50, 20)));
  put("sub/tall.png", encode_png(plain_picture(100, 400)));
  write_file(folder_ / "in/broken.jpg", "<html>");
  write_file(folder_ / "in/notes.txt", "mine");
  const auto flat = resize_images(folder_ / "in", {.max_size = 120, .dest = folder_ / "out"});
  EXPECT_EQ(flat.resized, 1u);
  EXPECT_EQ(flat.copied, 1u);
  ASSERT_EQ(flat.unreadable.size(), 1u);
  EXPECT_EQ(flat.unreadable[0].path.filename(), "broken.jpg");
  const Image made = open_image(folder_ / "out/large.png");
  const Image expected = resize(plain_picture(300, 200), Size{120, 80});
  EXPECT_EQ(made.size(), (Size{120, 80}));
  EXPECT_TRUE(std::equal(made.data(), made.data() + made.bytes(), expected.data()));
  EXPECT_EQ(read_file(folder_ / "out/small.png"), read_file(folder_ / "in/small.png"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "out"), fs::directory_iterator()), 2);
  const auto deep = resize_images(folder_ / "in", {.max_size = 120, .dest = folder_ / "out", .recurse = true});
  EXPECT_EQ(deep.resized, 2u);
  EXPECT_EQ(open_image(folder_ / "out/sub/tall.png").size(), (Size{30, 120}));
}

TEST_F(ResizeImages, InPlaceChangesOnlyWhatIsTooLarge) {
  put("large.jpg", encode_jpeg(plain_picture(300, 200)));
  put("small.png", encode_png(plain_picture(50, 20)));
  const Bytes small = read_file(folder_ / "in/small.png");
  // The smallest of all GIFs, claimed to be as wide as it likes: 300 x 1.
  Bytes gif;
  for (const unsigned char byte :
       {0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x2C, 0x01, 0x01, 0x00, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF,
        0xFF, 0x2C, 0x00, 0x00, 0x00, 0x00, 0x2C, 0x01, 0x01, 0x00, 0x00, 0x02, 0x02, 0x44, 0x01, 0x00, 0x3B})
    gif.push_back(byte);
  put("wide.gif", gif);
  const auto report = resize_images(folder_ / "in", {.max_size = 120, .dest = folder_ / "in"});
  EXPECT_EQ(report.resized, 1u);
  EXPECT_EQ(report.kept, Paths{folder_ / "in/wide.gif"});
  EXPECT_EQ(open_image(folder_ / "in/large.jpg").size(), (Size{120, 80}));
  EXPECT_EQ(read_file(folder_ / "in/small.png"), small);
  EXPECT_EQ(read_file(folder_ / "in/wide.gif"), gif);
}

TEST_F(ResizeImages, GreyPicturesBecomeRgbUnlessToldOtherwise) {
  put("grey.png", encode_png(to_grey(plain_picture(50, 20))));
  resize_images(folder_ / "in", {.max_size = 120, .dest = folder_ / "rgb"});
  resize_images(folder_ / "in", {.max_size = 120, .dest = folder_ / "same", .to_rgb = false});
  EXPECT_EQ(image_info(read_file(folder_ / "rgb/grey.png")).channels, 3);
  EXPECT_EQ(image_info(read_file(folder_ / "same/grey.png")).channels, 1);
}

TEST_F(ResizeImages, NeedsASizeAndAPlace) {
  for (const ResizeImagesOptions& options : {ResizeImagesOptions{.dest = "x"}, ResizeImagesOptions{.max_size = 9}}) {
    try {
      resize_images(folder_.path(), options);
      ADD_FAILURE();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::usage);
    }
  }
}

TEST(ShrunkSize, CutsToWholePixelsInDoubleArithmeticAsFastai) {
  // int(w * (400 / max(w, h))), int(h * (400 / max(w, h))) in Python.
  EXPECT_EQ(detail::shrunk_size({640, 427}, 400), (Size{400, 266}));
  EXPECT_EQ(detail::shrunk_size({427, 640}, 400), (Size{266, 400}));
  EXPECT_EQ(detail::shrunk_size({5000, 2}, 400), (Size{400, 1}));
  EXPECT_EQ(detail::shrunk_size({539, 269}, 400), (Size{399, 199}));
  EXPECT_EQ(detail::shrunk_size({578, 289}, 400), (Size{399, 199}));
  EXPECT_EQ(detail::shrunk_size({607, 303}, 400), (Size{399, 199}));
}

}  // namespace
}  // namespace kindling
