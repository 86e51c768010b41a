#include <kindling/core/interrupt.hpp>
#include <kindling/data/labels.hpp>
#include <kindling/vision/doctor.hpp>
#include <kindling/vision/resample.hpp>

#include "core/temporary_folder.hpp"
#include "vision/made_scenes.hpp"

#include <set>

#include <gmock/gmock.h>
#include <unistd.h>

namespace kindling {
namespace {

using test::scene;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const fs::path golden_images = fs::path(KINDLING_SOURCE_DIR) / "tests/golden/vision/images";

void put(const fs::path& path, std::span<const std::uint8_t> bytes) {
  fs::create_directories(path.parent_path());
  write_file(path, bytes);
}

void put_text(const fs::path& path, std::string_view text) {
  put(path, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

/// The JPEG with an EXIF block that says how to turn it.
Bytes with_orientation(const Bytes& jpeg, std::uint8_t orientation) {
  const std::uint8_t exif[] = {0xFF, 0xE1, 0, 34, 'E', 'x',         'i', 'f', 0,    0,    'M', 'M',
                               0,    42,   0, 0,  0,   8,           0,   1,   0x01, 0x12, 0,   3,
                               0,    0,    0, 1,  0,   orientation, 0,   0,   0,    0,    0,   0};
  Bytes out(jpeg.begin(), jpeg.begin() + 2);
  out.insert(out.end(), std::begin(exif), std::end(exif));
  out.insert(out.end(), jpeg.begin() + 2, jpeg.end());
  return out;
}

/// Photos of cats and dogs in train/ and valid/, nothing wrong with them; faults are added by the tests.
class Doctor : public ::testing::Test {
 protected:
  Doctor() {
    for (int i = 0; i < 8; ++i) {
      for (const char* label : {"cat", "dog"}) {
        save_scene(fmt("train/{}/{}.jpg", label, i));
        if (i < 4) save_scene(fmt("valid/{}/{}.jpg", label, i));
      }
    }
  }

  static std::string fmt(const char* pattern, const char* label, int i) {
    std::string text(pattern);
    text.replace(text.find("{}"), 2, label);
    return text.replace(text.find("{}"), 2, std::to_string(i));
  }

  /// A picture that no other file shows.
  void save_scene(const std::string& name, Size size = {240, 180}) {
    test::save(folder_ / name, scene(seed_++, size));
  }

  HealthReport check(HealthOptions options = {}) {
    options.threads = 2;
    const Paths files = get_image_files(folder_.path());
    return check_images(health_items(files, parent_label, GrandparentSplitter()(to_items(files))), options);
  }

  /// The names of the files of each case of a kind.
  std::vector<std::vector<std::string>> cases(const HealthReport& report, HealthKind kind) const {
    std::vector<std::vector<std::string>> all;
    const HealthFinding* finding = report.find(kind);
    if (finding == nullptr) return all;
    for (const HealthCase& c : finding->cases) {
      std::vector<std::string> names;
      for (const std::size_t i : c.items)
        names.push_back(report.items[i].path.lexically_relative(folder_.path()).generic_string());
      all.push_back(names);
    }
    return all;
  }

  using Names = std::vector<std::string>;
  using Cases = std::vector<Names>;

  kindling::testing::TemporaryFolder folder_;
  std::uint64_t seed_ = 1000;
};

TEST_F(Doctor, SaysNothingOfACleanFolder) {
  const HealthReport report = check();
  EXPECT_TRUE(report.findings.empty()) << report.verdict();
  EXPECT_EQ(report.verdict(), "nothing wrong found in 24 photos");
  EXPECT_EQ(report.classes.at("cat").train, 8u);
  EXPECT_EQ(report.classes.at("dog").valid, 4u);
}

TEST_F(Doctor, FilesThatAreNoPicturesAreTold) {
  put_text(folder_ / "train/cat/page.jpg", "<!DOCTYPE html><html><body>gone</body></html>");
  put_text(folder_ / "train/dog/notes.png", "just some words");
  put_text(folder_ / "train/dog/nothing.jpg", "");
  const HealthReport report = check();
  EXPECT_EQ(cases(report, HealthKind::not_a_picture),
            (Cases{{"train/cat/page.jpg"}, {"train/dog/notes.png"}, {"train/dog/nothing.jpg"}}));
  EXPECT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.verdict(), "1 error: 3 files are no pictures");
  EXPECT_THAT(report.findings[0].cases[0].detail, HasSubstr("a web page (HTML)"));
  EXPECT_EQ(report.classes.at("cat").train, 8u) << "broken files do not count";
}

TEST_F(Doctor, CutDamagedAndForeignFilesAreTold) {
  const Bytes jpeg = encode_jpeg(scene(1));
  put(folder_ / "train/cat/cut.jpg", std::span(jpeg).first(jpeg.size() / 2));
  put(folder_ / "train/cat/no_end.jpg", std::span(jpeg).first(jpeg.size() - 2));
  fs::copy_file(golden_images / "truncated.png", folder_ / "train/cat/cut.png");
  fs::copy_file(golden_images / "damaged_checksum.png", folder_ / "train/cat/flipped.png");
  put_text(folder_ / "train/dog/phone.jpg", std::string_view("\0\0\0\x18"
                                                             "ftypheic\0\0\0\0",
                                                             16));
  const HealthReport report = check();
  EXPECT_EQ(cases(report, HealthKind::truncated),
            (Cases{{"train/cat/cut.jpg"}, {"train/cat/cut.png"}, {"train/cat/no_end.jpg"}}));
  EXPECT_EQ(cases(report, HealthKind::damaged), (Cases{{"train/cat/flipped.png"}}));
  EXPECT_EQ(cases(report, HealthKind::unsupported), (Cases{{"train/dog/phone.jpg"}}));
  EXPECT_EQ(report.findings.size(), 3u);
}

TEST_F(Doctor, AJpegWhoseDataEndsBeforeItsEndMarkerIsPartlyDamaged) {
  Bytes jpeg = encode_jpeg(scene(1));
  jpeg.resize(jpeg.size() / 2);
  jpeg.insert(jpeg.end(), {0xFF, 0xD9});
  put(folder_ / "train/cat/half.jpg", jpeg);
  const HealthReport report = check();
  EXPECT_EQ(cases(report, HealthKind::partly_damaged), (Cases{{"train/cat/half.jpg"}}));
  EXPECT_THAT(report.findings[0].cases[0].detail, HasSubstr("premature end of data segment"));
}

TEST_F(Doctor, FilesThatCannotBeOpenedAreTold) {
  fs::create_symlink(folder_ / "nowhere.jpg", folder_ / "train/cat/link.jpg");
  Paths files = get_image_files(folder_.path());
  files.push_back(folder_ / "train/cat/link.jpg");
  const HealthReport report = check_images(health_items(files));
  EXPECT_EQ(cases(report, HealthKind::unreadable), (Cases{{"train/cat/link.jpg"}}));
}

TEST_F(Doctor, ExceptionsAmongTheOthersAreNoted) {
  put(folder_ / "train/cat/grey.jpg", encode_jpeg(to_grey(scene(1))));
  put(folder_ / "train/cat/lying.jpg", with_orientation(encode_jpeg(scene(2)), 6));
  put(folder_ / "train/cat/named.jpg", encode_png(scene(3)));
  fs::copy_file(golden_images / "png_rgba.png", folder_ / "train/dog/alpha.png");
  fs::copy_file(golden_images / "jpeg_cmyk.jpg", folder_ / "train/dog/inks.jpg");
  fs::copy_file(golden_images / "tiff_cmyk.tif", folder_ / "train/dog/inks.tif");
  fs::copy_file(golden_images / "png_rgb_16.png", folder_ / "train/dog/deep.png");
  fs::copy_file(golden_images / "png_grey_16.png", folder_ / "train/dog/deep_grey.png");
  save_scene("train/dog/strip.jpg", {600, 90});
  const HealthReport report = check({.large_pixels = 600 * 90});
  EXPECT_EQ(cases(report, HealthKind::greyscale),
            (Cases{{"train/cat/grey.jpg"}, {"train/dog/deep_grey.png"}}));
  EXPECT_EQ(cases(report, HealthKind::rotated), (Cases{{"train/cat/lying.jpg"}}));
  EXPECT_EQ(cases(report, HealthKind::wrong_extension), (Cases{{"train/cat/named.jpg"}}));
  EXPECT_EQ(report.find(HealthKind::wrong_extension)->cases[0].detail, "PNG, not JPEG");
  EXPECT_EQ(cases(report, HealthKind::transparent), (Cases{{"train/dog/alpha.png"}}));
  EXPECT_EQ(cases(report, HealthKind::cmyk), (Cases{{"train/dog/inks.jpg"}, {"train/dog/inks.tif"}}));
  EXPECT_EQ(cases(report, HealthKind::sixteen_bit), (Cases{{"train/dog/deep.png"}}));
  EXPECT_EQ(cases(report, HealthKind::deep_grey), (Cases{{"train/dog/deep_grey.png"}}));
  EXPECT_EQ(cases(report, HealthKind::narrow), (Cases{{"train/dog/strip.jpg"}}));
  EXPECT_EQ(cases(report, HealthKind::large), (Cases{{"train/dog/strip.jpg"}}));
  EXPECT_EQ(cases(report, HealthKind::small).size(), 5u) << "the golden pictures have 43 x 29 pixels or less";
  EXPECT_EQ(report.count(Severity::error), 0u);
}

TEST_F(Doctor, WhatIsTheRuleInTheDataIsNotTold) {
  const kindling::testing::TemporaryFolder grey;
  for (int i = 0; i < 6; ++i) {
    for (const std::string label : {"a", "b"})
      put(grey / label / (std::to_string(i) + ".png"), encode_png(to_grey(scene(seed_++, {40, 40}))));
  }
  const HealthReport report = check_images(health_items(get_image_files(grey.path()), parent_label));
  EXPECT_TRUE(report.findings.empty()) << report.verdict();
}

TEST_F(Doctor, BlankPicturesAreTold) {
  Image white({240, 180}, 3);
  std::fill_n(white.data(), white.bytes(), std::uint8_t{250});
  test::save(folder_ / "train/cat/blank.jpg", white);
  EXPECT_EQ(cases(check(), HealthKind::blank), (Cases{{"train/cat/blank.jpg"}}));
}

TEST_F(Doctor, EqualFilesInTrainAndValidAndUnderTwoLabelsAreErrors) {
  fs::copy_file(folder_ / "train/cat/0.jpg", folder_ / "valid/cat/copy.jpg");
  fs::copy_file(folder_ / "train/cat/1.jpg", folder_ / "train/dog/copy.jpg");
  fs::copy_file(folder_ / "train/cat/2.jpg", folder_ / "train/cat/copy.jpg");
  fs::copy_file(folder_ / "train/dog/3.jpg", folder_ / "valid/cat/both.jpg");
  const HealthReport report = check();
  EXPECT_EQ(cases(report, HealthKind::in_both_splits),
            (Cases{{"train/cat/0.jpg", "valid/cat/copy.jpg"}, {"train/dog/3.jpg", "valid/cat/both.jpg"}}));
  EXPECT_EQ(cases(report, HealthKind::two_labels),
            (Cases{{"train/cat/1.jpg", "train/dog/copy.jpg"}, {"train/dog/3.jpg", "valid/cat/both.jpg"}}));
  EXPECT_EQ(cases(report, HealthKind::duplicate), (Cases{{"train/cat/2.jpg", "train/cat/copy.jpg"}}));
  EXPECT_EQ(
      report.verdict(),
      "2 errors, 1 warning: 2 photos have two labels; 2 photos are in train and in valid; 1 photo is there "
      "more than once");
}

TEST_F(Doctor, CopiesThatOnlyLookTheSameAreWarnings) {
  const auto again = [&](const char* from, const char* to, int quality) {
    test::save(folder_ / to, open_image(folder_ / from), quality);
  };
  again("train/cat/0.jpg", "valid/cat/copy.jpg", 60);
  again("train/cat/1.jpg", "train/dog/copy.jpg", 60);
  again("train/cat/2.jpg", "train/cat/copy.jpg", 60);
  test::save(folder_ / "valid/cat/mirror.jpg", test::mirrored_copy(open_image(folder_ / "train/cat/3.jpg")));
  const HealthReport report = check();
  EXPECT_EQ(cases(report, HealthKind::similar_in_both_splits),
            (Cases{{"train/cat/0.jpg", "valid/cat/copy.jpg"}, {"train/cat/3.jpg", "valid/cat/mirror.jpg"}}));
  EXPECT_EQ(report.find(HealthKind::similar_in_both_splits)->cases[1].detail, "one is mirrored");
  EXPECT_EQ(cases(report, HealthKind::similar_two_labels),
            (Cases{{"train/cat/1.jpg", "train/dog/copy.jpg"}}));
  EXPECT_EQ(cases(report, HealthKind::similar), (Cases{{"train/cat/2.jpg", "train/cat/copy.jpg"}}));
  EXPECT_EQ(report.count(Severity::error), 0u);
  EXPECT_EQ(check({.near_duplicates = false}).findings.size(), 0u);
}

TEST_F(Doctor, LabelsAndClassSizesAreLookedAt) {
  save_scene("train/Dog/1.jpg");
  save_scene("train/bird/1.jpg");
  save_scene("valid/fish/1.jpg");
  const HealthReport report = check();
  const auto labels = [&](HealthKind kind) {
    std::vector<std::vector<std::string>> all;
    if (const auto* finding = report.find(kind)) {
      for (const HealthCase& c : finding->cases) all.push_back(c.labels);
    }
    return all;
  };
  EXPECT_EQ(labels(HealthKind::label_typo), (Cases{{"Dog", "dog"}}));
  EXPECT_EQ(labels(HealthKind::few_photos), (Cases{{"Dog"}, {"bird"}}));
  EXPECT_EQ(labels(HealthKind::not_in_valid), (Cases{{"Dog"}, {"bird"}}));
  EXPECT_EQ(labels(HealthKind::not_in_train), (Cases{{"fish"}}));
  EXPECT_EQ(labels(HealthKind::imbalance), (Cases{{"dog", "Dog"}})) << "of equal ones the last by name";
}

TEST_F(Doctor, PhotosWithoutLabelAndASingleClassAreTold) {
  auto items = health_items(get_image_files(folder_.path()), [](const fs::path&) { return "cat"; });
  items[2].label = "";
  const HealthReport report = check_images(std::move(items));
  EXPECT_EQ(cases(report, HealthKind::no_label), (Cases{{"train/cat/2.jpg"}}));
  ASSERT_NE(report.find(HealthKind::one_class), nullptr);
  EXPECT_THAT(report.verdict(), StartsWith("1 error, 1 warning: 1 class is all there is"));
}

TEST_F(Doctor, WithoutLabelsOnlyTheFilesAreChecked) {
  put_text(folder_ / "train/cat/page.jpg", "<html>");
  const HealthReport report = check_images(health_items(get_image_files(folder_.path())));
  EXPECT_EQ(report.findings.size(), 1u);
  EXPECT_TRUE(report.classes.empty());
}

TEST_F(Doctor, JsonNamesFilesBelowTheRootAndKeepsNotesApart) {
  put_text(folder_ / "train/cat/page.jpg", "<html>");
  put(folder_ / "train/cat/grey.jpg", encode_jpeg(to_grey(scene(1))));
  const Json json = check().to_json(folder_.path());
  EXPECT_EQ(json["files"], 26);
  EXPECT_EQ(json["errors"], 1);
  ASSERT_EQ(json["findings"].size(), 1u);
  EXPECT_EQ(json["findings"][0]["kind"], "not_a_picture");
  EXPECT_EQ(json["findings"][0]["severity"], "error");
  EXPECT_EQ(json["findings"][0]["cases"][0]["files"][0]["file"], "train/cat/page.jpg");
  EXPECT_EQ(json["findings"][0]["cases"][0]["files"][0]["split"], "train");
  ASSERT_EQ(json["notes"].size(), 1u);
  EXPECT_EQ(json["notes"][0]["kind"], "greyscale");
  EXPECT_EQ(json["classes"]["cat"]["train"], 9);
}

TEST_F(Doctor, ThePageShowsPicturesAndEscapesForeignText) {
  const std::string hostile = "<img src=x onerror=alert(1)>&\"'";
  fs::copy_file(folder_ / "train/cat/0.jpg", folder_ / "train/cat" / (hostile + ".jpg"));
  save_scene("train/<b>bold/1.jpg");
  const std::string page = health_page(check(), {.root = folder_.path(), .title = "</title><script>"});
  EXPECT_THAT(page, StartsWith("<!doctype html>"));
  EXPECT_THAT(page, Not(HasSubstr("<img src=x")));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("<b>bold")));
  EXPECT_THAT(page, HasSubstr("&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&#39;.jpg"));
  EXPECT_THAT(page, HasSubstr("src=\"data:image/jpeg;base64,/9j/"));
  EXPECT_THAT(page, Not(HasSubstr("http"))) << "nothing is fetched";
}

TEST_F(Doctor, ThePageIsBounded) {
  for (int i = 0; i < 60; ++i) save_scene("train/cat/strip" + std::to_string(i) + ".jpg", {400, 90});
  HealthReport report = check({.narrow = 4.1});
  const auto pictures = [&](std::size_t most) {
    const std::string page =
        health_page(report, {.root = folder_.path(), .max_pictures = most, .threads = 2});
    std::size_t n = 0;
    for (auto at = page.find("<img"); at != std::string::npos; at = page.find("<img", at + 1)) ++n;
    EXPECT_THAT(page, HasSubstr(std::to_string(60 - most) + " more"));
    return n;
  };
  report.findings.clear();
  report.findings.push_back({HealthKind::narrow, {}});
  for (std::size_t i = 0; i < report.items.size(); ++i) {
    if (report.items[i].path.filename().string().starts_with("strip"))
      report.findings[0].cases.push_back({.items = {i}});
  }
  EXPECT_EQ(pictures(5), 5u);
  EXPECT_EQ(pictures(24), 24u);
}

TEST_F(Doctor, NothingIsChangedOnDisk) {
  put_text(folder_ / "train/cat/page.jpg", "<html>");
  std::set<std::string> before, after;
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) before.insert(entry.path());
  health_page(check(), {.root = folder_.path()});
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) after.insert(entry.path());
  EXPECT_EQ(before, after);
}

TEST_F(Doctor, CanBeInterrupted) {
  request_interrupt();
  try {
    check();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::interrupted);
  }
  clear_interrupt();
}

TEST_F(Doctor, FactsAreNeededForEachItem) {
  EXPECT_THROW(check_images({{folder_ / "train/cat/0.jpg"}}, std::vector<const ImageFacts*>{}), Error);
}

TEST(HealthKinds, NamesAreStableAndSeveritiesInOrder) {
  EXPECT_EQ(name_of(HealthKind::in_both_splits), "in_both_splits");
  EXPECT_EQ(name_of(HealthKind::sixteen_bit), "sixteen_bit");
  std::set<std::string_view> names;
  Severity last = Severity::error;
  for (int k = 0; k <= static_cast<int>(HealthKind::sixteen_bit); ++k) {
    const auto kind = static_cast<HealthKind>(k);
    EXPECT_TRUE(names.insert(name_of(kind)).second) << name_of(kind);
    EXPECT_GE(severity_of(kind), last);
    last = severity_of(kind);
    const HealthFinding one{kind, {HealthCase{}}};
    EXPECT_THAT(one.what(), StartsWith("1 "));
    EXPECT_FALSE(one.advice().empty());
  }
}

}  // namespace
}  // namespace kindling
