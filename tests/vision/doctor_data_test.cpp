#include <kindling/data/labels.hpp>
#include <kindling/vision/doctor.hpp>
#include <kindling/vision/resample.hpp>

#include "core/temporary_folder.hpp"
#include "vision/made_scenes.hpp"

#include <cstdlib>

#include <gmock/gmock.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;

fs::path shared_sets() {
  const char* folder = std::getenv("KINDLING_SHARED_DATA");
  return folder != nullptr ? fs::path(folder) : fs::path(KINDLING_SOURCE_DIR) / "../shared/data";
}

/// Real data sets, unpacked for the length of one test.
class RealData : public ::testing::Test {
 protected:
  bool unpack(const std::string& archive) {
    const fs::path path = shared_sets() / archive;
    if (!fs::exists(path)) return false;
    const std::string command = "tar xzf '" + path.string() + "' -C '" + folder_.path().string() + "'";
    return std::system(command.c_str()) == 0;
  }

  /// Every file, whatever its name: downloads end in `.jpg?v=1`.
  HealthReport check(const std::string& name, const std::string& valid = "valid") {
    Paths files = get_files(folder_ / name);
    std::erase_if(files, [](const fs::path& path) { return path.extension() == ".csv"; });
    const Splits splits = GrandparentSplitter({"train"}, {valid})(to_items(files));
    return check_images(health_items(files, parent_label, splits));
  }

  static std::string told(const HealthReport& report) {
    return report.to_json("/").dump(1, ' ', false, Json::error_handler_t::replace).substr(0, 4000);
  }

  kindling::testing::TemporaryFolder folder_;
};

TEST_F(RealData, NothingIsSaidOfMnistSample) {
  if (!unpack("mnist_sample/mnist_sample.tgz")) GTEST_SKIP() << "needs the shared data set mnist_sample";
  const HealthReport report = check("mnist_sample");
  EXPECT_EQ(report.verdict(), "nothing wrong found in 14,434 photos") << told(report);
  EXPECT_TRUE(report.findings.empty()) << told(report);
}

TEST_F(RealData, NothingIsSaidOfImagenetteButThatSomeAreGrey) {
  if (!unpack("imagenette/imagenette_sub.tgz")) GTEST_SKIP() << "needs the shared data set imagenette";
  const HealthReport report = check("imagenette_sub", "val");
  EXPECT_EQ(report.verdict(), "nothing wrong found in 1,600 photos") << told(report);
  ASSERT_EQ(report.findings.size(), 1u) << told(report);
  EXPECT_EQ(report.findings[0].kind, HealthKind::greyscale);
  EXPECT_EQ(report.findings[0].cases.size(), 27u);
}

TEST_F(RealData, TheSixFilesOfBearsThatAreNoPicturesAreFound) {
  if (!unpack("bears/bears.tgz")) GTEST_SKIP() << "needs the shared data set bears";
  const HealthReport report = check("bears");
  ASSERT_NE(report.find(HealthKind::not_a_picture), nullptr);
  EXPECT_EQ(report.find(HealthKind::not_a_picture)->cases.size(), 6u);
  EXPECT_EQ(report.items.size(), 146u);
  EXPECT_EQ(report.count(Severity::error), 1u) << told(report);
}

/// Photos and what became of them: each pair is found, and no two different photos are taken for one.
TEST_F(RealData, CopiesOfPetsAreFound) {
  if (!unpack("oxford-iiit-pet/oxford-iiit-pet.tgz"))
    GTEST_SKIP() << "needs the shared data set oxford-iiit-pet";
  Paths photos = get_image_files(folder_ / "oxford-iiit-pet");
  photos.resize(60);
  for (const fs::path& photo : photos) {
    const std::string stem = photo.stem().string();
    const Image image = open_image(photo);
    const Size half{image.width() / 2, image.height() / 2};
    test::save(folder_ / "half" / (stem + ".jpg"), resize(image, half));
    test::save(folder_ / "square" / (stem + ".jpg"), resize(image, {224, 224}));
    test::save(folder_ / "coarse" / (stem + ".jpg"), image, 30);
    test::save(folder_ / "lighter" / (stem + ".jpg"), test::lighter(image, 15));
    test::save(folder_ / "mirrored" / (stem + ".jpg"), test::mirrored_copy(image));
  }
  for (const std::string copies : {"half", "square", "coarse", "lighter", "mirrored"}) {
    Paths files = photos;
    for (const fs::path& copy : get_image_files(folder_ / copies)) files.push_back(copy);
    const HealthReport report = check_images(health_items(files));
    const HealthFinding* similar = report.find(HealthKind::similar);
    ASSERT_NE(similar, nullptr) << copies;
    std::size_t right = 0;
    for (const HealthCase& c : similar->cases) {
      ASSERT_EQ(c.items.size(), 2u) << copies;
      EXPECT_EQ(files[c.items[0]].stem(), files[c.items[1]].stem()) << copies;
      ++right;
    }
    RecordProperty(copies, static_cast<int>(right));
    EXPECT_GE(right, 55u) << copies << ": of 60";
  }
}

}  // namespace
}  // namespace kindling
