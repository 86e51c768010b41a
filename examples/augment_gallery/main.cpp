// The pictures of docs/guide/augment.md: one photo as each transform makes it.
//
//   augment_gallery PHOTO FOLDER         writes augment_*.png into FOLDER, which must be there
//
// Takes about a second. The guide's own are made of examples/data/pets_mini/dog/beagle_10.jpg.
#include <kindling/vision.hpp>

#include <iostream>

#include <fmt/format.h>

using namespace kindling;

namespace {

constexpr int side = 128;

/// A training item of that number, through one transform.
Image training(const Transform& tfm, const Image& photo, std::int64_t item) {
  const ItemContext context{.split = Split::train, .seed = 42, .item = item, .transform = 1, .image_size = photo.size()};
  return std::get<Image>(tfm.encode(photo, context));
}

Image validation(const Transform& tfm, const Image& photo) {
  return std::get<Image>(tfm.encode(photo, {.split = Split::valid, .image_size = photo.size()}));
}

/// `n` variants of one photo, as a batch of training that goes through the transforms.
std::vector<Image> batch_of_variants(const Transforms& tfms, const Image& photo, int n) {
  Pipeline pipeline;
  pipeline.batch_tfms = merge_transforms({IntToFloatTensor{}}, tfms);
  const Values batch = collate(std::vector<Values>(static_cast<std::size_t>(n), Values{photo}));
  const ItemContext context{.split = Split::train, .seed = 7};
  std::vector<Image> images;
  for (const Values& item : pipeline.decode_batch(pipeline.encode_batch(batch, context, torch::kCPU))) {
    images.push_back(std::get<Image>(item.front()));
  }
  return images;
}

/// Four variants of each transform, a row a transform.
void add_rows(std::vector<GridCell>& cells, const std::vector<std::pair<std::string, Transforms>>& rows, const Image& photo) {
  for (const auto& [caption, tfms] : rows) {
    for (Image& variant : batch_of_variants(tfms, photo, 4)) cells.push_back({std::move(variant), caption});
  }
}

Picture resize_methods(const Image& photo) {
  const auto as = [&](ResizeMethod method, PadMode pad) {
    return validation(Resize(side, {.method = method, .pad_mode = pad}), photo);
  };
  return draw_grid({{photo, "the photo"},
                    {as(ResizeMethod::crop, PadMode::zeros), "crop"},
                    {as(ResizeMethod::squish, PadMode::zeros), "squish"},
                    {as(ResizeMethod::pad, PadMode::reflection), "pad, reflection"},
                    {as(ResizeMethod::pad, PadMode::border), "pad, border"},
                    {as(ResizeMethod::pad, PadMode::zeros), "pad, zeros"}},
                   {.columns = 3, .cell = side});
}

Picture item_transforms(const Image& photo) {
  std::vector<GridCell> cells;
  const std::vector<std::pair<std::string, Transform>> rows = {
      {"Resize", Resize(side)},
      {"RandomResizedCrop", RandomResizedCrop(side, {.min_scale = 0.3})},
      {"RandomCrop", RandomCrop(side)},
      {"DihedralItem", DihedralItem()},
      {"RandAugment", RandAugment()},
      {"TrivialAugmentWide", TrivialAugmentWide()}};
  const Image square = validation(Resize(side), photo);
  for (const auto& [caption, tfm] : rows) {
    const bool cuts = tfm.name() == "Resize" || tfm.name().starts_with("Random");
    const Image& from = cuts ? photo : square;
    for (std::int64_t item = 0; item < 4; ++item) cells.push_back({training(tfm, from, item), caption});
  }
  return draw_grid(cells, {.columns = 4, .cell = side});
}

Picture movements(const Image& square) {
  std::vector<GridCell> cells;
  add_rows(cells,
           {{"Rotate, 30 degrees at most", {Rotate({.max_deg = 30, .p = 1})}},
            {"Zoom, 1.0 to 1.8", {Zoom({.max_zoom = 1.8, .p = 1})}},
            {"Warp, 0.4", {Warp({.magnitude = 0.4, .p = 1})}},
            {"Dihedral", {Dihedral({.p = 1})}}},
           square);
  return draw_grid(cells, {.columns = 4, .cell = side});
}

Picture light(const Image& square) {
  std::vector<GridCell> cells;
  add_rows(cells,
           {{"Brightness, 0.6", {Brightness({.max_lighting = 0.6, .p = 1})}},
            {"Contrast, 0.6", {Contrast({.max_lighting = 0.6, .p = 1})}},
            {"Saturation, 0.8", {Saturation({.max_lighting = 0.8, .p = 1})}},
            {"Hue, 0.3", {Hue({.max_hue = 0.3, .p = 1})}}},
           square);
  return draw_grid(cells, {.columns = 4, .cell = side});
}

Picture usual(const Image& square, double mult) {
  std::vector<GridCell> cells;
  for (Image& variant : batch_of_variants(aug_transforms({.mult = mult}), square, 8)) {
    cells.push_back({std::move(variant), ""});
  }
  return draw_grid(cells, {.columns = 4, .cell = side, .title = fmt::format("aug_transforms({{.mult = {}}})", mult)});
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: augment_gallery PHOTO FOLDER\n";
    return 2;
  }
  const Image photo = open_image(argv[1]);
  const fs::path folder = argv[2];
  const Image square = validation(Resize(side), photo);
  resize_methods(photo).save(folder / "augment_resize.png");
  item_transforms(photo).save(folder / "augment_item.png");
  movements(square).save(folder / "augment_affine.png");
  light(square).save(folder / "augment_lighting.png");
  usual(square, 1).save(folder / "augment_usual.png");
  usual(square, 2).save(folder / "augment_usual_mult2.png");
  std::cout << "wrote 6 pictures into " << folder.string() << "\n";
  return 0;
} catch (const std::exception& e) {
  std::cerr << "augment_gallery: " << e.what() << "\n";
  return 1;
}
