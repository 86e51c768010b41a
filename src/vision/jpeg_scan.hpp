#pragma once
/// A quick look at an ordinary JPEG: that it is whole, and its brightness at an eighth of the size.

#include "vision/codec_formats.hpp"

#include <optional>

namespace kindling::detail {

struct JpegScan {
  ImageInfo info;
  Image grey;  ///< means of 8 x 8 pixels, as libjpeg gives at a scale of 1/8; as stored
};

/// Reads every code of a baseline JPEG up to its end, in a third of the time that a decoder takes: numbers
/// are passed over, but for the blocks' means. Nothing for all that is not ordinary, be it damaged or only
/// rare (progressive, CMYK …): what to say of these is the decoder's business.
std::optional<JpegScan> scan_jpeg(ByteSpan bytes);

}  // namespace kindling::detail
