#pragma once
/// A picture made smaller and encoded again, for `resize_images` and `download_images`.

#include <kindling/vision/codec.hpp>

#include <string_view>

namespace kindling::detail {

/// fastai's `resize_to`: the longer side becomes `max_size`, in double arithmetic, cut to whole pixels.
Size shrunk_size(Size size, int max_size);

struct Encoded {
  Bytes bytes;
  ImageFormat format = ImageFormat::jpeg;
};

/// What a picture of this format is written as: PNG for what was stored without loss, else JPEG.
ImageFormat written_format(ImageFormat format);

/// Upright, RGB, its longer side at most `max_size` (0: as it is).
Encoded shrink(std::span<const std::uint8_t> bytes, int max_size, const DecodeOptions& decode);

/// ".jpg", ".png" …
std::string_view extension_of(ImageFormat format);

}  // namespace kindling::detail
