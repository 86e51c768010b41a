#include <kindling/vision/verify.hpp>

#include "vision/jpeg_scan.hpp"
#include "vision/photo_loop.hpp"

#include <optional>

namespace kindling {

namespace {

/// Throws where a file cannot be decoded. Every byte is looked at, but pixels of an ordinary JPEG are not
/// made, and those of another at an eighth: broken files show as well, and many times faster.
void try_to_read(const fs::path& path, const ImageBlockOptions& options) {
  const Bytes bytes = read_file(path);
  if (detail::scan_jpeg(bytes)) return;
  decode_image(bytes, {.mode = options.mode,
                       .exif_orientation = options.exif_orientation,
                       .reduction = [](Size) { return 8; }});
}

}  // namespace

std::vector<BrokenImage> verify_images(const Paths& files, const VerifyOptions& options) {
  std::vector<std::optional<Error>> errors(files.size());
  detail::for_each_photo(files.size(), options.threads, *options.listener, "Checking photos",
                         [&](std::size_t i) {
                           try {
                             try_to_read(files[i], options.image);
                           } catch (Error& e) {
                             errors[i] = e.with("path", files[i]);
                           }
                         });
  std::vector<BrokenImage> broken;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (errors[i]) broken.push_back({files[i], *errors[i]});
  }
  return broken;
}

}  // namespace kindling
