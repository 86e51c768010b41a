#pragma once
/// Pictures as numbers, and numbers as pictures.
///
///   torch::Tensor t = tensor(open_image("3.png", {.mode = ColorMode::L}));     // 28 x 28 uint8
///   show_image(t.to(torch::kFloat32) / 255, {.title = "a three"}).save("three.png");

#include <kindling/data/image.hpp>
#include <kindling/data/picture.hpp>

#include <string>
#include <vector>

#include <torch/types.h>

namespace kindling {

/// A copy of the pixels: H x W of a grey picture, H x W x C of any other; uint8, Pillow's numbers. (fastai
/// `tensor(im)`.)
torch::Tensor tensor(const Image& image);

/// A picture of H x W, C x H x W or H x W x C numbers (C 1, 3 or 4; the first dimension is taken for the channels
/// where it may be). uint8 are kept; bool become black and white. Other numbers count from 0 to 1; where a grey
/// picture's reach beyond, the smallest becomes black and the largest white, as matplotlib does, and a
/// coloured picture's are cut off. NaN becomes black. Throws `usage` for another shape.
Image to_image(const torch::Tensor& tensor);

struct ShowImageOptions {
  std::string title = "";
  int cell = 224;         ///< side in pixels of the square that the picture is fitted into
  bool inverted = false;  ///< small numbers white, large ones black: the course's colour map "Greys"
};

/// One picture under its title (fastai `show_image`).
Picture show_image(const Image& image, const ShowImageOptions& options = {});
Picture show_image(const torch::Tensor& tensor, const ShowImageOptions& options = {});

struct ShowImagesOptions {
  std::vector<std::string> titles = {};  ///< one a picture, or none
  int nrows = 1;
  int cell = 112;
  bool inverted = false;
};

/// Several pictures in rows (fastai `show_images`). Throws `usage` without pictures or with other titles than
/// pictures.
Picture show_images(const std::vector<torch::Tensor>& tensors, const ShowImagesOptions& options = {});

}  // namespace kindling
