// Lesson 1: is it a cat or a dog?
//
// Fine-tunes a net that has seen ImageNet on photos of pets, shows a batch, says what a photo is, and writes
// the one file that holds the model. In the Oxford pets the names of cats' photos begin with a capital
// letter.
//
//   lesson1_pets IMAGES [PHOTO] [ARCH]       e.g. lesson1_pets oxford-iiit-pet/images Abyssinian_1.jpg
//
// Numbers to expect on 462 photos of the set, 2 cores, efficientnet_lite0: after the frozen epoch an
// error_rate of about 0.05, after the second about 0.04. ARCH may be resnet34 as in the course, once its
// weights are in the cache
// (`kindling weights get resnet34`).
#include <kindling/vision.hpp>

#include <cctype>
#include <cstdio>
#include <iostream>

using namespace kindling;

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cerr << "usage: lesson1_pets IMAGES [PHOTO] [ARCH]\n";
    return 2;
  }
  const fs::path path = argv[1];
  const std::string arch = argc > 3 ? argv[3] : "efficientnet_lite0";

  // What a photo shows is told by its name.
  auto is_cat = [](const std::string& name) {
    return std::isupper(static_cast<unsigned char>(name[0])) ? "cat" : "dog";
  };

  // Files that are no photos would stop the training: the course removes them first, too.
  Paths files = get_image_files(path);
  for (const BrokenImage& broken : verify_images(files)) {
    std::cout << "left out: " << broken.error.what() << "\n";
    std::erase(files, broken.path);
  }

  torch::manual_seed(42);
  auto dls = ImageDataLoaders::from_name_func(
      path, files, is_cat, {.valid_pct = 0.2, .seed = 42, .item_tfms = {Resize(192)}, .bs = 32});
  dls.show_batch().save("batch.png");

  auto learn = vision_learner(dls, arch, {.metrics = {error_rate}});
  learn.fine_tune(1);

  const fs::path photo = argc > 2 ? fs::path(argv[2]) : files.front();
  auto [label, index, probs] = learn.predict(photo);
  std::printf("%s is a %s, with probability %.4f\n", photo.filename().c_str(), label.c_str(),
              probs[index].item<float>());

  learn.export_to("pets.safetensors");
  std::cout << "wrote batch.png and pets.safetensors\n";
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
