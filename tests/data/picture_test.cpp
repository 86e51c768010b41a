#include <kindling/core/error.hpp>
#include <kindling/data/picture.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <regex>

#include <gmock/gmock.h>
#include <unistd.h>

namespace kindling {
namespace {

using Colour = std::array<int, 3>;

Image solid(Size size, Colour colour) {
  Image image(size, 3);
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x)
      for (int c = 0; c < 3; ++c) image.row(y)[3 * x + c] = static_cast<std::uint8_t>(colour[c]);
  return image;
}

Colour pixel(const Image& image, int x, int y) {
  const std::uint8_t* p = image.row(y) + 3 * x;
  return {p[0], p[1], p[2]};
}

/// Left, top, right, bottom (last pixel included) of the pixels for which `wanted` holds; all -1 without one.
struct Bounds {
  int left = -1, top = -1, right = -1, bottom = -1;
  int width() const { return left < 0 ? 0 : right - left + 1; }
  int height() const { return left < 0 ? 0 : bottom - top + 1; }
};

Bounds bounds_of(const Image& image, const std::function<bool(Colour)>& wanted) {
  Bounds found;
  for (int y = 0; y < image.height(); ++y)
    for (int x = 0; x < image.width(); ++x) {
      if (!wanted(pixel(image, x, y))) continue;
      if (found.left < 0) found = {x, y, x, y};
      found.left = std::min(found.left, x);
      found.right = std::max(found.right, x);
      found.bottom = y;
    }
  return found;
}

Bounds bounds_of(const Image& image, Colour colour) {
  return bounds_of(image, [&](Colour c) { return c == colour; });
}

bool is_ink(Colour c) {
  return c[0] < 128 && c[1] < 128 && c[2] < 128;
}

/// Cells of one colour each, that differ in red.
std::vector<GridCell> tiles(int count) {
  std::vector<GridCell> cells;
  for (int i = 0; i < count; ++i) cells.push_back({solid({50, 50}, {200 + i, 120, 40})});
  return cells;
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(name_of(error.code())) + ": " + error.what();
  }
  return "no error";
}

class PictureFile : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_ = fs::path(::testing::TempDir()) / ("kindling_picture_" + std::to_string(::getpid()));
};

TEST(DrawGrid, SevenCellsMakeTwoRowsOfFourAsInFastai) {
  const Image image = draw_grid(tiles(7), {.cell = 40}).image();
  std::vector<int> lefts, tops;
  for (int i = 0; i < 7; ++i) {
    const Bounds tile = bounds_of(image, {200 + i, 120, 40});
    EXPECT_EQ(tile.width(), 40) << "cell " << i;
    EXPECT_EQ(tile.height(), 40) << "cell " << i;
    lefts.push_back(tile.left);
    tops.push_back(tile.top);
  }
  for (int i = 4; i < 7; ++i) EXPECT_EQ(lefts[i], lefts[i - 4]);
  EXPECT_THAT(std::vector(tops.begin(), tops.begin() + 4), ::testing::Each(tops[0]));
  EXPECT_THAT(std::vector(tops.begin() + 4, tops.end()), ::testing::Each(::testing::Gt(tops[0] + 39)));
  EXPECT_GT(lefts[1], lefts[0] + 40);
}

TEST(DrawGrid, ColumnsGivenAreUsedAndNeverMoreThanThereAreCells) {
  const Image two = draw_grid(tiles(4), {.columns = 2, .cell = 40}).image();
  EXPECT_EQ(bounds_of(two, {202, 120, 40}).left, bounds_of(two, {200, 120, 40}).left);
  EXPECT_EQ(draw_grid(tiles(2), {.columns = 9, .cell = 40}).image().width(),
            draw_grid(tiles(2), {.columns = 2, .cell = 40}).image().width());
}

TEST(DrawGrid, PhotosKeepTheirShapeAndAreNotCropped) {
  Image photo = solid({400, 200}, {10, 200, 30});
  const Image image = draw_grid({{photo}}, {.cell = 100}).image();
  const Bounds wide = bounds_of(image, {10, 200, 30});
  EXPECT_EQ(wide.width(), 100);
  EXPECT_EQ(wide.height(), 50);
  const Bounds tall =
      bounds_of(draw_grid({{solid({30, 90}, {10, 200, 30})}}, {.cell = 99}).image(), {10, 200, 30});
  EXPECT_EQ(tall.width(), 33);
  EXPECT_EQ(tall.height(), 99);
}

TEST(DrawGrid, AnExtremelyThinPhotoIsStillAPixelWide) {
  const Image image = draw_grid({{solid({1, 5000}, {10, 200, 30})}}, {.cell = 64}).image();
  EXPECT_EQ(bounds_of(image, {10, 200, 30}).width(), 1);
  EXPECT_EQ(bounds_of(image, {10, 200, 30}).height(), 64);
}

TEST(DrawGrid, TinyPicturesAreEnlargedPixelByPixel) {
  Image checker({2, 2}, 1);
  checker.row(0)[0] = checker.row(1)[1] = 0;
  checker.row(0)[1] = checker.row(1)[0] = 200;
  const Image image = draw_grid({{checker}}, {.cell = 80}).image();
  const Bounds black = bounds_of(image, {0, 0, 0});
  ASSERT_EQ(black.width(), 80);
  for (int y = 0; y < 80; ++y)
    for (int x = 0; x < 80; ++x) {
      const int value = (x < 40) == (y < 40) ? 0 : 200;
      ASSERT_EQ(pixel(image, black.left + x, black.top + y), (Colour{value, value, value})) << x << "," << y;
    }
}

TEST(DrawGrid, LargePhotosAreReducedByAveraging) {
  Image lines({512, 512}, 1);  // black and white columns in turn: a sampling filter would give one of the two
  for (int y = 0; y < 512; ++y)
    for (int x = 0; x < 512; ++x) lines.row(y)[x] = x % 2 ? 255 : 0;
  const Image image = draw_grid({{lines}}, {.cell = 64}).image();
  const Colour middle = pixel(image, image.width() / 2, image.height() / 2);
  EXPECT_NEAR(middle[0], 127, 12);
}

TEST(DrawGrid, AMissingPictureLeavesAGreySquare) {
  const Image image = draw_grid({{Image(), "unreadable.jpg"}}, {.cell = 50}).image();
  const Bounds grey = bounds_of(image, [](Colour c) { return c[0] == c[1] && c[0] > 225 && c[0] < 250; });
  EXPECT_GE(grey.width(), 50);
  EXPECT_NEAR(pixel(image, image.width() / 2, grey.bottom - 25)[0], 237, 2);
}

TEST(DrawGrid, CaptionStandsAboveItsPhotoInInkOnWhite) {
  const Image image = draw_grid({{solid({50, 50}, {250, 200, 30}), "cat"}}, {.cell = 100}).image();
  const Bounds photo = bounds_of(image, {250, 200, 30});
  const Bounds text = bounds_of(image, is_ink);
  EXPECT_GT(text.width(), 8);
  EXPECT_LT(text.bottom, photo.top);
  EXPECT_NEAR((text.left + text.right) / 2.0, (photo.left + photo.right) / 2.0, 2.0);
  EXPECT_EQ(pixel(image, 0, 0), (Colour{255, 255, 255}));
}

TEST(DrawGrid, GreenAndRedCaptionsHaveTheirColour) {
  const auto white = solid({40, 40}, {255, 255, 255});
  const Image image =
      draw_grid({{white, "mm", "green"}, {white, "mm", "red"}}, {.columns = 2, .cell = 80}).image();
  const Bounds green = bounds_of(image, [](Colour c) { return c[1] > c[0] + 60; });
  const Bounds red = bounds_of(image, [](Colour c) { return c[0] > c[1] + 60; });
  EXPECT_GT(green.width(), 5);
  EXPECT_GT(red.width(), 5);
  EXPECT_LT(green.right, image.width() / 2);
  EXPECT_GT(red.left, image.width() / 2);
  EXPECT_EQ(bounds_of(image, [](Colour c) { return *std::max_element(c.begin(), c.end()) < 100; }).width(),
            0);
}

TEST(DrawGrid, ALongCaptionStaysInItsColumn) {
  const auto white = solid({40, 40}, {255, 255, 255});
  const std::string name(90, 'm');
  const Image image = draw_grid({{white, name}, {white, name}}, {.columns = 2, .cell = 120}).image();
  for (int y = 0; y < image.height(); ++y) ASSERT_FALSE(is_ink(pixel(image, image.width() / 2, y))) << y;
  const Bounds text = bounds_of(image, is_ink);
  EXPECT_GT(text.left, 0);
  EXPECT_LT(text.right, image.width() - 1);
  EXPECT_LT(text.height(), 20) << "one line only";
}

TEST(DrawGrid, ALongCaptionIsElidedInItsMiddle) {
  const auto white = solid({40, 40}, {255, 255, 255});
  const auto drawn = [&](const std::string& caption) {
    return draw_grid({{white, caption}}, {.cell = 120}).png();
  };
  const auto named = [](char first, char middle, char last) {
    return first + std::string("_long_head_of_a_name_") + std::string(60, middle) + "_and_its_long_tail_" +
           last;
  };
  EXPECT_EQ(drawn(named('a', '1', 'z')), drawn(named('a', '2', 'z'))) << "digits of one width, out of sight";
  EXPECT_NE(drawn(named('a', '1', 'z')), drawn(named('b', '1', 'z')));
  EXPECT_NE(drawn(named('a', '1', 'z')), drawn(named('a', '1', 'y')));
}

TEST(DrawGrid, EachLineOfACaptionHasItsOwnRoom) {
  const auto top_of_photo = [](const std::string& caption) {
    const Image image = draw_grid({{solid({50, 50}, {250, 200, 30}), caption}}, {.cell = 100}).image();
    return bounds_of(image, {250, 200, 30}).top;
  };
  const int none = top_of_photo(""), one = top_of_photo("cat"), two = top_of_photo("cat\ndog");
  EXPECT_GT(one, none + 8);
  EXPECT_NEAR(two - one, one - none, 6);
  EXPECT_EQ(top_of_photo(std::string(80, 'w') + "\n" + std::string(80, 'w')), two);
}

TEST(DrawGrid, TheRowsCaptionsAndPhotosAreOnOneLine) {
  const Image image =
      draw_grid({{solid({50, 50}, {250, 200, 30}), "one"}, {solid({50, 20}, {30, 200, 250}), "two\nlines"}},
                {.columns = 2, .cell = 100})
          .image();
  EXPECT_EQ(bounds_of(image, {250, 200, 30}).top, bounds_of(image, {30, 200, 250}).top);
}

TEST(DrawGrid, ATitleStandsOverTheCells) {
  const Image plain = draw_grid(tiles(2), {.columns = 2, .cell = 80}).image();
  const Image titled = draw_grid(tiles(2), {.columns = 2, .cell = 80, .title = "A batch"}).image();
  EXPECT_EQ(titled.width(), plain.width());
  EXPECT_GT(titled.height(), plain.height() + 10);
  const Bounds text = bounds_of(titled, is_ink);
  EXPECT_LT(text.bottom, bounds_of(titled, {200, 120, 40}).top);
  EXPECT_NEAR((text.left + text.right) / 2.0, titled.width() / 2.0, 2.0);
}

TEST(DrawGrid, AnyBytesCanBeACaptionAndNothingIsPrinted) {
  ::testing::internal::CaptureStderr();
  const auto white = solid({40, 40}, {255, 255, 255});
  using namespace std::string_literals;
  const std::string bytes = "caf\xe9 \xff\xfe\0x <b>&amp;"s;
  const Image image = draw_grid({{white, bytes},
                                 {white, "кошка قطة"},
                                 {white, std::string(1 << 20, 'a')},
                                 {white, std::string(5000, '\n')}},
                                {.cell = 200})
                          .image();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_GT(bounds_of(image, is_ink).width(), 30);
  EXPECT_LT(image.height(), 1500);
}

TEST(DrawGrid, MarkupIsShownAsItIs) {
  const auto white = solid({40, 40}, {255, 255, 255});
  EXPECT_NE(draw_grid({{white, "<b>cat</b>"}}).png(), draw_grid({{white, "cat"}}).png());
}

TEST(DrawGrid, RefusesAnEmptyList) {
  EXPECT_THAT(message_of([] { draw_grid({}); }),
              ::testing::HasSubstr("usage: a grid needs at least one picture"));
}

TEST(DrawGrid, RefusesUnknownColoursByName) {
  EXPECT_THAT(message_of([] {
                draw_grid({{solid({4, 4}, {0, 0, 0}), "cat", "gren"}});
              }),
              ::testing::AllOf(::testing::HasSubstr("usage: "), ::testing::HasSubstr("colour: gren"),
                             ::testing::HasSubstr("\"green\"")));
}

TEST(DrawGrid, RefusesCellsAndColumnsThatMakeNoSense) {
  EXPECT_THAT(message_of([] { draw_grid(tiles(1), {.cell = 0}); }), ::testing::HasSubstr("cell: 0"));
  EXPECT_THAT(message_of([] { draw_grid(tiles(1), {.columns = -1}); }), ::testing::HasSubstr("columns: -1"));
  EXPECT_THAT(message_of([] { draw_grid({{Image({2, 2}, 4)}}); }), ::testing::HasSubstr("channels: 4"));
}

TEST(DrawGrid, RefusesAPictureLargerThanCairoDraws) {
  EXPECT_THAT(message_of([] { draw_grid(tiles(40), {.columns = 40, .cell = 1000}); }),
              ::testing::AllOf(::testing::HasSubstr("limit: "), ::testing::HasSubstr("fewer cells")));
  EXPECT_THAT(message_of([] { draw_grid(tiles(40), {.columns = 1, .cell = 1000}); }),
              ::testing::HasSubstr("limit: "));
}

TEST(Picture, PngIsAnRgbPng) {
  const Picture picture(solid({5, 3}, {1, 2, 3}));
  const Bytes png = picture.png();
  ASSERT_GT(png.size(), 33u);
  EXPECT_EQ(std::string(png.begin(), png.begin() + 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(std::string(png.begin() + 12, png.begin() + 16), "IHDR");
  // Width, height, 8 bit, colour type 2: RGB without alpha.
  EXPECT_EQ(Bytes(png.begin() + 16, png.begin() + 26), (Bytes{0, 0, 0, 5, 0, 0, 0, 3, 8, 2}));
}

TEST(Picture, AnEmptyOneCannotBeSavedOrShown) {
  EXPECT_THAT(message_of([] { Picture().png(); }), ::testing::HasSubstr("usage: the picture is empty"));
  EXPECT_THAT(message_of([] { Picture().to_terminal(80, 24); }),
              ::testing::HasSubstr("usage: the picture is empty"));
  EXPECT_THAT(message_of([] { Picture(Image({2, 2}, 1)).png(); }), ::testing::HasSubstr("channels: 1"));
}

TEST_F(PictureFile, SaveWritesThePng) {
  const Picture picture = draw_grid(tiles(1));
  picture.save(folder_ / "grid.png");
  EXPECT_EQ(read_file(folder_ / "grid.png"), picture.png());
}

TEST_F(PictureFile, SaveIntoAMissingFolderNamesIt) {
  const fs::path path = folder_ / "missing" / "grid.png";
  EXPECT_THAT(message_of([&] { draw_grid(tiles(1)).save(path); }), ::testing::HasSubstr("missing"));
  EXPECT_FALSE(fs::exists(path));
}

std::vector<std::string> lines_without_colours(const std::string& text) {
  const std::string plain = std::regex_replace(text, std::regex("\x1b\\[[0-9;]*m"), "");
  EXPECT_EQ(plain.find('\x1b'), std::string::npos) << "only colour sequences are expected";
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end; (end = plain.find('\n', begin)) != std::string::npos; begin = end + 1)
    lines.push_back(plain.substr(begin, end - begin));
  EXPECT_EQ(begin, plain.size()) << "the last line ends too";
  return lines;
}

TEST(Picture, TerminalTextFitsTheTerminalAndKeepsTheShape) {
  const auto wide = lines_without_colours(Picture(solid({400, 100}, {255, 0, 0})).to_terminal(40, 24));
  EXPECT_EQ(wide.size(), 5u);  // 40 cells wide, a cell twice as high as wide
  const auto tall = lines_without_colours(Picture(solid({100, 400}, {255, 0, 0})).to_terminal(40, 24));
  EXPECT_EQ(tall.size(), 24u);
  const auto least = lines_without_colours(Picture(solid({100, 400}, {255, 0, 0})).to_terminal(1, 1));
  EXPECT_EQ(least.size(), 1u);
}

TEST(Picture, TerminalTextHasTheColoursOfThePixels) {
  const std::string text = Picture(solid({40, 40}, {250, 60, 7})).to_terminal(10, 10);
  EXPECT_THAT(text, ::testing::HasSubstr("8;2;250;60;7"));
}

TEST(Picture, ATerminalWithoutCellsIsRefused) {
  EXPECT_THAT(message_of([] {
                Picture(solid({4, 4}, {0, 0, 0})).to_terminal(0, 24);
              }),
              ::testing::HasSubstr("columns: 0"));
}

}  // namespace
}  // namespace kindling
