#include <kindling/core/error.hpp>
#include <kindling/data/image_tensor.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

namespace kindling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Image counting(Size size, int channels) {
  Image image(size, channels);
  for (std::size_t i = 0; i < image.bytes(); ++i) image.data()[i] = static_cast<std::uint8_t>(i);
  return image;
}

std::vector<int> bytes_of(const Image& image) {
  return {image.data(), image.data() + image.bytes()};
}

TEST(Tensor, HasThePixelsRowByRow) {
  auto grey = tensor(counting({3, 2}, 1));
  EXPECT_THAT(grey.sizes(), ElementsAre(2, 3));
  EXPECT_EQ(grey.scalar_type(), torch::kUInt8);
  EXPECT_EQ(grey[1][0].item<int>(), 3);
  auto colour = tensor(counting({3, 2}, 3));
  EXPECT_THAT(colour.sizes(), ElementsAre(2, 3, 3));
  EXPECT_EQ(colour[1][2][1].item<int>(), 16);
  EXPECT_THROW(tensor(Image()), Error);
}

TEST(Tensor, IsACopy) {
  Image image = counting({2, 2}, 1);
  auto t = tensor(image);
  t.fill_(9);
  EXPECT_THAT(bytes_of(image), ElementsAre(0, 1, 2, 3));
}

TEST(ToImage, TakesEveryLayoutOfAPicture) {
  for (int channels : {1, 3, 4}) {
    const Image image = counting({7, 5}, channels);
    const auto t = tensor(image);
    EXPECT_EQ(bytes_of(to_image(t)), bytes_of(image)) << channels;
    if (channels == 1) continue;
    EXPECT_EQ(bytes_of(to_image(t.permute({2, 0, 1}))), bytes_of(image)) << "channels first";
  }
  EXPECT_THAT(bytes_of(to_image(torch::ones({1, 1, 2}))), ElementsAre(255, 255));
}

TEST(ToImage, CountsFromZeroToOneAndStretchesGreyThatReachesBeyond) {
  EXPECT_THAT(bytes_of(to_image(torch::tensor({{0.0f, 0.5f, 1.0f}}))), ElementsAre(0, 128, 255));
  EXPECT_THAT(bytes_of(to_image(torch::tensor({{-1.0f, 0.0f, 1.0f}}))), ElementsAre(0, 128, 255));
  EXPECT_THAT(bytes_of(to_image(torch::tensor({{0, 5, 10}}))), ElementsAre(0, 128, 255));
  EXPECT_THAT(bytes_of(to_image(torch::tensor({{true, false}}))), ElementsAre(255, 0));
  EXPECT_THAT(bytes_of(to_image(torch::tensor({{NAN, 1.0f}}))), ElementsAre(0, 255));
  EXPECT_THAT(bytes_of(to_image(torch::tensor({-1.0f, 2.0f, 0.5f}).reshape({3, 1, 1}))), ElementsAre(0, 255, 128));
}

TEST(ToImage, SaysWhatShapesAPictureHas) {
  for (const auto& t : {torch::Tensor(), torch::zeros({3}), torch::zeros({2, 5, 5}), torch::zeros({64, 3, 8, 8}),
                        torch::zeros({0, 4})}) {
    try {
      to_image(t);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::usage);
      EXPECT_THAT(e.what(), HasSubstr("H x W, C x H x W or H x W x C"));
      if (t.defined() && t.dim() == 4) EXPECT_EQ(e.fact("got"), "64 x 3 x 8 x 8");
    }
  }
}

TEST(ShowImage, InvertsAndTitles) {
  const auto white_spot = torch::zeros({8, 8}).index_put_({4, 4}, 1.0f);
  const Image plain = show_image(white_spot, {.cell = 64}).image();
  const Image greys = show_image(white_spot, {.cell = 64, .inverted = true}).image();
  const auto middle = [](const Image& i) { return int{i.row(i.height() / 2)[3 * (i.width() / 2)]}; };
  EXPECT_EQ(middle(plain), 255);
  EXPECT_EQ(middle(greys), 0);
  const Image titled = show_image(white_spot, {.title = "a spot", .cell = 64}).image();
  EXPECT_GT(titled.height(), plain.height());
}

TEST(ShowImages, LaysThemOutInRows) {
  const std::vector<torch::Tensor> four(4, torch::ones({8, 8}));
  const Image one_row = show_images(four, {.cell = 32}).image();
  const Image two_rows = show_images(four, {.nrows = 2, .cell = 32}).image();
  EXPECT_GT(one_row.width(), two_rows.width());
  EXPECT_LT(one_row.height(), two_rows.height());
  EXPECT_THROW(show_images(four, {.titles = {"one"}}), Error);
  EXPECT_THROW(show_images({}), Error);
}

}  // namespace
}  // namespace kindling
