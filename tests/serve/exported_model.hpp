#pragma once
/// A learner on a small net, trained for a moment, and the file it exported: made once for all tests.

#include <kindling/serve.hpp>

#include "core/temporary_folder.hpp"
#include "serve/tiny_backbone.hpp"

#include <optional>

#include <torch/utils.h>

namespace kindling::testing {

/// Twenty photos of one colour in two classes, a learner trained on them for a moment, and its export.
struct Exported {
  TemporaryFolder folder;
  fs::path model = folder / "model.safetensors";
  fs::path photo = folder / "red/0.png";
  std::optional<Learner> learn;

  Exported() {
    register_tiny();
    for (int i = 0; i < 20; ++i) {
      const bool red = i % 2 == 0;
      Image image({40 + i, 30}, 3);
      for (std::size_t p = 0; p < image.bytes(); ++p)
        image.data()[p] = static_cast<std::uint8_t>((p % 3 == (red ? 0u : 2u)) ? 200 : 3 * i);
      const fs::path file = folder / (red ? "red" : "blue") / (std::to_string(i) + ".png");
      fs::create_directories(file.parent_path());
      write_file(file, encode_png(image));
    }
    torch::manual_seed(1);
    auto dls = ImageDataLoaders::from_folder(
        folder.path(), {.valid_pct = 0.2, .seed = 1, .item_tfms = {Resize(16)}, .bs = 4});
    learn.emplace(vision_learner(
        dls, "tiny_test_net", {.metrics = {error_rate}, .pretrained = false, .listener = silent_listener()}));
    learn->fit(8, 2e-2);
    learn->export_to(model);
  }
};

inline Exported& exported() {
  static Exported e;
  return e;
}

}  // namespace kindling::testing
