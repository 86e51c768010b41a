#include <kindling/core/error.hpp>
#include <kindling/core/files.hpp>
#include <kindling/vision/codec.hpp>

#include <cstdlib>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace kindling {
namespace {

fs::path shared_data() {
  const char* folder = std::getenv("KINDLING_SHARED_DATA");
  return folder != nullptr ? fs::path(folder) : fs::path(KINDLING_SOURCE_DIR) / "../shared/data";
}

/// The two photo sets, unpacked for the length of one test.
class PhotoSets : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("kindling_photos_" + std::to_string(::getpid()));
    for (const std::string set : {"oxford-iiit-pet", "bears"}) {
      const fs::path archive = shared_data() / set / (set + ".tgz");
      if (!fs::exists(archive))
        GTEST_SKIP() << "needs the shared data set " << set << " (KINDLING_SHARED_DATA)";
      fs::create_directories(folder_);
      const std::string command = "tar xzf '" + archive.string() + "' -C '" + folder_.string() + "'";
      ASSERT_EQ(std::system(command.c_str()), 0) << command;
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// First digits of the hash of a photo's RGB pixels, as make_images.py writes them.
  std::string digits_of(const std::string& name) const {
    try {
      const Image image = open_image(folder_ / name, {.exif_orientation = false});
      return sha256_of(std::span(image.data(), image.bytes())).substr(0, 16);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_image) << error.what();
      return "not-an-image";
    }
  }

  fs::path folder_;
};

TEST_F(PhotoSets, EveryPhotoHasPillowsPixels) {
  std::istringstream lines(read_text(fs::path(KINDLING_SOURCE_DIR) / "tests/golden/vision/photos.txt"));
  int photos = 0, others = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto space = line.find(' ');
    const std::string expected = line.substr(0, space), name = line.substr(space + 1);
    EXPECT_EQ(digits_of(name), expected) << name;
    (expected == "not-an-image" ? others : photos) += 1;
  }
  EXPECT_EQ(photos, 602);
  EXPECT_EQ(others, 7);
}

}  // namespace
}  // namespace kindling
