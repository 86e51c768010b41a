#include <kindling/core/error.hpp>
#include <kindling/data/image.hpp>

#include <cstring>
#include <limits>

namespace kindling {

Image::Image(Size size, int channels) : size_(size), channels_(channels) {
  if (size.width <= 0 || size.height <= 0) {
    throw Error(ErrorCode::usage, "a picture has at least one pixel",
                {{"width", size.width}, {"height", size.height}});
  }
  if (channels < 1 || channels > 4) {
    throw Error(ErrorCode::usage, "a picture has 1 to 4 channels", {{"channels", channels}});
  }
  // Two ints and a factor of 4 can exceed 64 bits, so the division comes first.
  const std::size_t most = std::numeric_limits<std::ptrdiff_t>::max() - read_slack;
  if (stride() > most / static_cast<std::size_t>(size.height)) {
    throw Error(ErrorCode::limit, "the picture is larger than the address space",
                {{"width", size.width}, {"height", size.height}});
  }
  pixels_ = std::make_shared_for_overwrite<std::uint8_t[]>(bytes() + read_slack);
  std::memset(pixels_.get() + bytes(), 0, read_slack);
}

}  // namespace kindling
