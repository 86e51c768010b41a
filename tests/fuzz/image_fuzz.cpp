// Bytes that claim to be pictures: every reader either decodes them or throws an Error.

#include <kindling/core/error.hpp>
#include <kindling/vision/codec.hpp>

#include "vision/jpeg_scan.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

using namespace kindling;

namespace {

template <class Call>
void expect_only_errors(const Call& call) {
  try {
    call();
  } catch (const Error&) {
  }
}

/// What the quick scan takes for a whole JPEG, the decoder reads without a complaint.
void expect_scan_to_agree(std::span<const std::uint8_t> bytes) {
  if (!detail::scan_jpeg(bytes)) return;
  try {
    if (!detail::decode_picture(bytes, {}).trouble.empty()) std::abort();
  } catch (const Error&) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::int64_t max_pixels = 1 << 16;
  const std::span bytes(data, size);
  expect_only_errors([&] { image_info(bytes); });
  expect_only_errors([&] { decode_image(bytes, {.max_pixels = max_pixels}); });
  expect_only_errors([&] {
    decode_image(bytes, {.mode = ColorMode::L,
                         .exif_orientation = false,
                         .max_pixels = max_pixels,
                         .allow_truncated = true,
                         .reduction = [](Size stored) { return stored.width % 2 == 0 ? 2 : 8; }});
  });
  expect_scan_to_agree(bytes);
  return 0;
}
