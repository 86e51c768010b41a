// Bytes that claim to be pictures: every reader either decodes them or throws an Error.

#include <kindling/core/error.hpp>
#include <kindling/vision/codec.hpp>

#include <cstddef>
#include <cstdint>
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
  return 0;
}
