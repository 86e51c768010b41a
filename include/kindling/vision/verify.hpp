#pragma once
/// Every file is opened before training, so that a broken one stops nothing later.

#include <kindling/core/error.hpp>
#include <kindling/core/listener.hpp>
#include <kindling/data/items.hpp>
#include <kindling/vision/image_block.hpp>

#include <vector>

namespace kindling {

struct BrokenImage {
  fs::path path;
  Error error;
};

struct VerifyOptions {
  int threads = 0;  ///< 0: one a core
  ImageBlockOptions image = {};
  std::shared_ptr<Listener> listener = silent_listener();
};

/// The files that cannot be decoded, in the order given, each with its reason. All are read, none is changed.
/// Throws `interrupted` when that was requested (interrupt.hpp). (fastai `verify_images`, which gives the paths
/// alone.)
std::vector<BrokenImage> verify_images(const Paths& files, const VerifyOptions& options = {});

}  // namespace kindling
