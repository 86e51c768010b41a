#include "vision/codec_formats.hpp"

#include <cstring>

#include <webp/decode.h>

namespace kindling::detail {
namespace {

constexpr std::size_t riff_header = 12;
constexpr std::size_t chunk_header = 8;
/// Position, size, duration and flags before the picture data of an animation's frame.
constexpr std::size_t frame_header = 16;

/// The contents of the first chunk of that name, cut where the file ends.
ByteSpan find_riff_chunk(ByteSpan bytes, const char* name) {
  std::size_t at = riff_header;
  while (at + chunk_header <= bytes.size()) {
    const std::size_t length = little_endian(&bytes[at + 4], 4);
    const ByteSpan rest = bytes.subspan(at + chunk_header);
    if (std::memcmp(&bytes[at], name, 4) == 0) return rest.first(std::min(length, rest.size()));
    if (length + (length & 1) > rest.size()) return {};
    at += chunk_header + length + (length & 1);
  }
  return {};
}

WebPBitstreamFeatures features_of(ByteSpan bytes, std::size_t file_bytes) {
  WebPBitstreamFeatures features{};
  const auto status = WebPGetFeatures(bytes.data(), bytes.size(), &features);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA) throw truncated(ImageFormat::webp, file_bytes);
  if (status != VP8_STATUS_OK) throw damaged(ImageFormat::webp, "its header cannot be read");
  return features;
}

/// Where the pixels are: the file itself, or the first frame of an animation within its canvas.
struct Frame {
  ByteSpan data;
  int left = 0, top = 0;
  Size size;
};

Frame first_frame(ByteSpan bytes, Size canvas) {
  const ByteSpan chunk = find_riff_chunk(bytes, "ANMF");
  if (chunk.size() <= frame_header) throw truncated(ImageFormat::webp, bytes.size());
  Frame frame;
  frame.data = chunk.subspan(frame_header);
  frame.left = 2 * static_cast<int>(little_endian(&chunk[0], 3));
  frame.top = 2 * static_cast<int>(little_endian(&chunk[3], 3));
  const auto features = features_of(frame.data, bytes.size());
  frame.size = stored_size(features.width, features.height, ImageFormat::webp);
  if (frame.size.width > canvas.width - frame.left || frame.size.height > canvas.height - frame.top) {
    throw damaged(ImageFormat::webp, "its first frame does not fit the canvas");
  }
  return frame;
}

void decode_rgb(const Frame& frame, Image& canvas, std::size_t file_bytes) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) throw Error(ErrorCode::internal, "the WebP decoder cannot start");
  const std::size_t stride = canvas.stride();
  const std::size_t skipped = stride * frame.top + static_cast<std::size_t>(frame.left) * 3;
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = canvas.data() + skipped;
  config.output.u.RGBA.stride = static_cast<int>(stride);
  config.output.u.RGBA.size = canvas.bytes() - skipped;
  const auto status = WebPDecode(frame.data.data(), frame.data.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA || status == VP8_STATUS_SUSPENDED) {
    throw truncated(ImageFormat::webp, file_bytes);
  }
  if (status != VP8_STATUS_OK) throw damaged(ImageFormat::webp, "its data cannot be decoded");
}

}  // namespace

ImageInfo webp_info(ByteSpan bytes) {
  const auto features = features_of(bytes, bytes.size());
  return {ImageFormat::webp, stored_size(features.width, features.height, ImageFormat::webp),
          features.has_alpha ? 4 : 3, exif_orientation(find_riff_chunk(bytes, "EXIF"))};
}

Decoded decode_webp(ByteSpan bytes, const DecodeOptions& options) {
  const auto features = features_of(bytes, bytes.size());
  const Size size = stored_size(features.width, features.height, ImageFormat::webp);
  check_limit(size, ImageFormat::webp, options);
  const Frame frame = features.has_animation ? first_frame(bytes, size) : Frame{bytes, 0, 0, size};
  Image image(size, 3);
  // An animation's canvas is black where its first frame leaves it free.
  if (frame.size != size) std::memset(image.data(), 0, image.bytes());
  decode_rgb(frame, image, bytes.size());
  if (options.mode == ColorMode::L) image = to_grey(image);
  return {std::move(image), options.exif_orientation ? exif_orientation(find_riff_chunk(bytes, "EXIF")) : 1};
}

}  // namespace kindling::detail
