#include <kindling/vision/image_facts.hpp>
#include <kindling/vision/resample.hpp>

#include "vision/codec_formats.hpp"
#include "vision/image_hash.hpp"
#include "vision/jpeg_scan.hpp"
#include "vision/photo_loop.hpp"

#include <algorithm>
#include <unordered_map>

namespace kindling {

namespace {

using detail::ByteSpan;
using detail::hash_side;

/// Larger files are mapped, so that a thread's memory does not grow with what it is given.
constexpr std::uint64_t largest_read = 16 << 20;

/// What is left is still about as large as what is hashed.
int reduction_for_hash(Size size) {
  constexpr int least_side = hash_side * 3 / 4;
  int by = 8;
  while (by > 1 && std::min(size.width, size.height) / by < least_side) by /= 2;
  return by;
}

void keep_look(const Image& stored, int orientation, ImageFacts& facts) {
  const Image grey = detail::oriented(resize(stored, {hash_side, hash_side}), orientation);
  const auto [darkest, lightest] = std::minmax_element(grey.data(), grey.data() + grey.bytes());
  facts.contrast = *lightest - *darkest;
  facts.look = detail::perceptual_hash(grey);
  facts.thumbnail = detail::thumbnail_of(grey);
}

/// Ordinary JPEGs without a decoder; false for all that is not one.
bool look_quickly(ByteSpan bytes, bool exif_orientation, ImageFacts& facts) {
  const auto scan = detail::scan_jpeg(bytes);
  if (!scan || reduction_for_hash(scan->info.size) != 8) return false;
  facts.info = scan->info;
  keep_look(scan->grey, exif_orientation ? scan->info.orientation : 1, facts);
  return true;
}

void look_at(ByteSpan bytes, const VerifyOptions& options, ImageFacts& facts) {
  facts.format = image_format(bytes);
  if (look_quickly(bytes, options.image.exif_orientation, facts)) return;
  facts.info = image_info(bytes);
  const auto stored = detail::stored_pixels(bytes, *facts.info);
  facts.bits = stored.bits;
  facts.inks = stored.inks;
  auto decoded = detail::decode_picture(bytes, {.mode = ColorMode::L,
                                                .exif_orientation = options.image.exif_orientation,
                                                .reduction = reduction_for_hash});
  facts.trouble = std::move(decoded.trouble);
  keep_look(decoded.image, decoded.orientation, facts);
}

void examine_bytes(ByteSpan bytes, const VerifyOptions& options, bool needs_content, ImageFacts& facts) {
  facts.bytes = bytes.size();
  if (needs_content) facts.content = sha256_of(bytes);
  look_at(bytes, options, facts);
}

ImageFacts examine(const fs::path& path, const VerifyOptions& options, bool needs_content) {
  ImageFacts facts;
  try {
    std::error_code ignored;
    if (fs::file_size(path, ignored) > largest_read && !ignored)
      examine_bytes(MappedFile(path).bytes(), options, needs_content, facts);
    else
      examine_bytes(read_file(path), options, needs_content, facts);
  } catch (Error& error) {
    error.with("path", path);
    facts.truncated = detail::is_truncated(error);
    facts.error = error;
  }
  return facts;
}

/// Only files of equal size can be equal, and so only they are hashed.
std::vector<bool> sharing_their_size(const Paths& files) {
  std::vector<std::uint64_t> sizes;
  std::unordered_map<std::uint64_t, int> counts;
  for (const fs::path& file : files) {
    std::error_code ignored;
    sizes.push_back(fs::file_size(file, ignored));
    ++counts[sizes.back()];
  }
  std::vector<bool> shared;
  for (const std::uint64_t size : sizes) shared.push_back(counts[size] > 1);
  return shared;
}

}  // namespace

std::vector<ImageFacts> examine_images(const Paths& files, const VerifyOptions& options) {
  const std::vector<bool> shared = sharing_their_size(files);
  std::vector<ImageFacts> facts(files.size());
  detail::for_each_photo(files.size(), options.threads, *options.listener, "Checking photos",
                         [&](std::size_t i) { facts[i] = examine(files[i], options, shared[i]); });
  return facts;
}

}  // namespace kindling
