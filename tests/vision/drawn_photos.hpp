#pragma once
/// Small photos that tests draw: a disc or a square on a ground, and the folder that holds them.

#include <kindling/vision/codec.hpp>

#include "core/temporary_folder.hpp"

#include <cstdint>
#include <string>

namespace kindling::testing {

struct Colour {
  std::uint8_t red = 0, green = 0, blue = 0;
};

inline Image ground(Size size, Colour colour) {
  Image image(size, 3);
  for (std::size_t i = 0; i < image.bytes(); i += 3) {
    image.data()[i] = colour.red;
    image.data()[i + 1] = colour.green;
    image.data()[i + 2] = colour.blue;
  }
  return image;
}

template <class Inside>
void paint(Image& image, Colour colour, Inside inside) {
  for (int y = 0; y < image.height(); ++y) {
    for (int x = 0; x < image.width(); ++x) {
      if (!inside(x + 0.5, y + 0.5)) continue;
      std::uint8_t* p = image.row(y) + 3 * x;
      p[0] = colour.red;
      p[1] = colour.green;
      p[2] = colour.blue;
    }
  }
}

inline void disc(Image& image, double cx, double cy, double radius, Colour colour) {
  paint(image, colour,
        [=](double x, double y) { return (x - cx) * (x - cx) + (y - cy) * (y - cy) < radius * radius; });
}

inline void square(Image& image, double left, double top, double side, Colour colour) {
  paint(image, colour,
        [=](double x, double y) { return x > left && x < left + side && y > top && y < top + side; });
}

inline void save_png(const Image& image, const fs::path& path) {
  fs::create_directories(path.parent_path());
  const Bytes png = encode_png(image);
  write_file(path, std::span<const std::uint8_t>(png));
}

inline Image mask_picture(Size size, std::uint8_t value) {
  Image image(size, 1);
  std::fill_n(image.data(), image.bytes(), value);
  return image;
}

}  // namespace kindling::testing
