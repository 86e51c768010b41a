// Lesson 2, first half: a bear detector from photos of the web.
//
// Describes the data with a DataBlock and looks at it in all the ways that the lesson does: cropped, squished, padded,
// cut at random, augmented. Then trains on random crops with augmentation, predicts one photo and exports the model.
//
//   lesson2_bears BEARS [PHOTO]              BEARS holds a folder for each kind: black, grizzly, teddy
//
// Numbers to expect on 140 photos, 2 cores, efficientnet_lite0: error rates between 0.07 and 0.15, jumping by
// 0.04 with each of the 28 validation photos; two and a half minutes in all beside other work on the machine.
#include <kindling/vision.hpp>

#include <cstdio>
#include <iostream>

using namespace kindling;

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cerr << "usage: lesson2_bears BEARS [PHOTO]\n";
    return 2;
  }
  const fs::path path = argv[1];

  // Downloads from the web bring files that are no pictures, and names without an ending: the content
  // decides.
  const Paths files = get_files(path);
  const std::vector<BrokenImage> failed = verify_images(files);
  std::cout << failed.size() << " files are no pictures:\n";
  for (const BrokenImage& broken : failed) std::cout << "  " << broken.error.what() << "\n";
  auto usable = [failed](const fs::path& folder) {
    Paths all = get_files(folder);
    for (const BrokenImage& broken : failed) std::erase(all, broken.path);
    return all;
  };

  torch::manual_seed(42);
  auto bears = DataBlock({.blocks = {ImageBlock(), CategoryBlock()},
                          .get_items = usable,
                          .splitter = RandomSplitter(0.2, 42),
                          .get_y = parent_label,
                          .item_tfms = {Resize(128)}});
  auto dls = bears.dataloaders(path, {.bs = 16});
  dls.show_batch({.max_n = 4, .nrows = 1, .split = Split::valid}).save("bears.png");

  auto squish = bears.with({.item_tfms = {Resize(128, {.method = ResizeMethod::squish})}});
  squish.dataloaders(path, {.bs = 16})
      .show_batch({.max_n = 4, .nrows = 1, .split = Split::valid})
      .save("squish.png");

  auto pad =
      bears.with({.item_tfms = {Resize(128, {.method = ResizeMethod::pad, .pad_mode = PadMode::zeros})}});
  pad.dataloaders(path, {.bs = 16})
      .show_batch({.max_n = 4, .nrows = 1, .split = Split::valid})
      .save("pad.png");

  // One photo, cut anew each time: what the model sees of it in one epoch after another.
  auto crops = bears.with({.item_tfms = {RandomResizedCrop(128, {.min_scale = 0.3})}});
  crops.dataloaders(path, {.bs = 16}).show_batch({.max_n = 4, .nrows = 1, .unique = true}).save("crops.png");

  auto augmented = bears.with({.item_tfms = {Resize(128)}, .batch_tfms = aug_transforms({.mult = 2})});
  augmented.dataloaders(path, {.bs = 16})
      .show_batch({.max_n = 8, .nrows = 2, .unique = true})
      .save("augmented.png");

  // What the lesson trains on: random crops of 224 pixels, augmented.
  bears = bears.with({.item_tfms = {RandomResizedCrop(224, {.min_scale = 0.5})}, .batch_tfms = aug_transforms()});
  dls = bears.dataloaders(path, {.bs = 16});
  auto learn = vision_learner(dls, "efficientnet_lite0", {.metrics = {error_rate}});
  learn.fine_tune(4);

  const fs::path photo = argc > 2 ? fs::path(argv[2]) : usable(path).front();
  auto [label, index, probs] = learn.predict(photo);
  std::printf("%s: %s, with probability %.4f\n", photo.filename().c_str(), label.c_str(),
              probs[index].item<float>());
  learn.export_to("bears.safetensors");
  std::cout << "wrote bears.png, squish.png, pad.png, crops.png, augmented.png and bears.safetensors\n";
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
