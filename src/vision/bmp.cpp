#include "vision/codec_formats.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace kindling::detail {
namespace {

constexpr std::size_t file_header = 14;
constexpr std::uint32_t core_header = 12;

enum Compression : std::uint32_t { raw = 0, rle8 = 1, rle4 = 2, bitfields = 3 };

struct Header {
  Size size;
  bool top_down = false;
  int bits = 0;
  std::uint32_t compression = raw;
  std::array<std::uint32_t, 3> masks{};  ///< red, green, blue of a 16, 24 or 32 bit pixel
  std::size_t palette_at = 0;
  std::size_t palette_entry = 4;
  std::size_t palette_entries = 0;
  std::size_t pixels_at = 0;
};

std::uint32_t number(ByteSpan bytes, std::size_t at, int size) {
  if (at > bytes.size() || bytes.size() - at < static_cast<std::size_t>(size)) {
    throw truncated(ImageFormat::bmp, bytes.size());
  }
  return little_endian(&bytes[at], size);
}

std::array<std::uint32_t, 3> usual_masks(int bits) {
  if (bits == 16) return {0x7C00, 0x3E0, 0x1F};
  return {0xFF0000, 0xFF00, 0xFF};
}

bool is_run_of_bits(std::uint32_t mask) {
  if (mask == 0) return false;
  const std::uint32_t run = mask >> std::countr_zero(mask);
  return (run & (run + 1)) == 0;
}

void read_masks(ByteSpan bytes, std::size_t at, Header& header) {
  std::array<std::uint32_t, 3> masks{};
  for (int i = 0; i < 3; ++i) masks[i] = number(bytes, at + 4 * i, 4);
  if (masks == std::array<std::uint32_t, 3>{}) return;
  if (!std::ranges::all_of(masks, is_run_of_bits)) throw not_supported(ImageFormat::bmp, "such colour masks");
  header.masks = masks;
}

void check_kind(const Header& header) {
  const int bits = header.bits;
  if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32) {
    throw not_supported(ImageFormat::bmp, fmt::format("{} bits a pixel", bits));
  }
  const bool fits = header.compression == raw || (header.compression == rle8 && bits == 8) ||
                    (header.compression == rle4 && bits == 4) ||
                    (header.compression == bitfields && bits >= 16);
  if (!fits) {
    throw not_supported(ImageFormat::bmp, fmt::format("compression {} of {} bits", header.compression, bits));
  }
}

Header read_header(ByteSpan bytes) {
  Header header;
  const std::uint32_t length = number(bytes, file_header, 4);
  const std::size_t body = file_header + 4;
  std::uint32_t colours = 0;
  if (length == core_header) {
    header.size = stored_size(number(bytes, body, 2), number(bytes, body + 2, 2), ImageFormat::bmp);
    header.bits = static_cast<int>(number(bytes, body + 6, 2));
    header.palette_entry = 3;
  } else {
    const auto height = static_cast<std::int32_t>(number(bytes, body + 4, 4));
    header.top_down = height < 0;
    header.size = stored_size(static_cast<std::int32_t>(number(bytes, body, 4)),
                              header.top_down ? -std::int64_t{height} : height, ImageFormat::bmp);
    header.bits = static_cast<int>(number(bytes, body + 10, 2));
    header.compression = number(bytes, body + 12, 4);
    colours = number(bytes, body + 28, 4);
  }
  check_kind(header);
  header.masks = usual_masks(header.bits);
  header.palette_at = file_header + length;
  if (header.compression == bitfields) {
    read_masks(bytes, body + 36, header);
    if (length == 40) header.palette_at += 12;
  }
  if (header.bits <= 8) header.palette_entries = colours != 0 ? colours : std::size_t{1} << header.bits;
  header.pixels_at = number(bytes, 10, 4);
  const std::size_t palette_end = header.palette_at + header.palette_entry * header.palette_entries;
  // Some writers leave the offset out, or forget the palette in it.
  if (header.pixels_at == 0 || (header.bits <= 8 && header.pixels_at == file_header + length)) {
    header.pixels_at = palette_end;
  }
  return header;
}

Palette read_palette(ByteSpan bytes, const Header& header) {
  Palette palette;
  const int count = static_cast<int>(std::min<std::size_t>(header.palette_entries, 256));
  for (int i = 0; i < count; ++i) {
    const std::size_t at = header.palette_at + header.palette_entry * i;
    if (at > bytes.size() || bytes.size() - at < 3) break;
    palette.set(i, bytes[at + 2], bytes[at + 1], bytes[at]);
  }
  return header.bits == 8 && palette.is_ramp(count) ? Palette::grey_ramp() : palette;
}

void unpack_indices(const std::uint8_t* packed, int bits, int width, std::uint8_t* out) {
  const int in_a_byte = 8 / bits;
  const int mask = (1 << bits) - 1;
  for (int x = 0; x < width; ++x) {
    const int shift = 8 - bits * (x % in_a_byte + 1);
    out[x] = static_cast<std::uint8_t>(packed[x / in_a_byte] >> shift & mask);
  }
}

/// Channels of a 16, 24 or 32 bit pixel, each spread over 0..255.
class PixelUnpacker {
 public:
  explicit PixelUnpacker(const Header& header) : bytes_(header.bits / 8), masks_(header.masks) {
    plain_ = bytes_ >= 3 && masks_ == usual_masks(header.bits);
  }

  void operator()(const std::uint8_t* packed, int width, std::uint8_t* rgb) const {
    for (int x = 0; x < width; ++x, packed += bytes_, rgb += 3) {
      if (plain_) {
        rgb[0] = packed[2];
        rgb[1] = packed[1];
        rgb[2] = packed[0];
      } else {
        const std::uint32_t pixel = little_endian(packed, bytes_);
        for (int i = 0; i < 3; ++i) rgb[i] = spread(pixel, masks_[i]);
      }
    }
  }

 private:
  static std::uint8_t spread(std::uint32_t pixel, std::uint32_t mask) {
    const int shift = std::countr_zero(mask);
    return static_cast<std::uint8_t>(std::uint64_t{(pixel & mask) >> shift} * 255 / (mask >> shift));
  }

  int bytes_;
  std::array<std::uint32_t, 3> masks_;
  bool plain_ = false;
};

/// Run-length codes into indices, rows in the stored order. Runs may go over a row's end only in literal
/// codes, as Pillow reads them; what an early end of the bitmap leaves is index 0.
class RunDecoder {
 public:
  RunDecoder(ByteSpan codes, const Header& header, std::size_t file_bytes)
      : codes_(codes),
        nibbles_(header.compression == rle4),
        width_(header.size.width),
        file_bytes_(file_bytes),
        out_(static_cast<std::size_t>(header.size.width) * header.size.height) {}

  std::vector<std::uint8_t> decode() {
    while (filled_ < out_.size()) {
      const int count = next();
      const int code = next();
      if (count > 0) {
        run(count, code);
      } else if (code == 0) {
        filled_ = std::min(out_.size(), (filled_ + width_ - 1) / width_ * width_);
        column_ = 0;
      } else if (code == 1) {
        break;
      } else if (code == 2) {
        skip();
      } else {
        literal(code);
      }
    }
    return std::move(out_);
  }

 private:
  std::uint8_t next() {
    if (at_ == codes_.size()) throw truncated(ImageFormat::bmp, file_bytes_);
    return codes_[at_++];
  }

  void put(int index) {
    if (filled_ < out_.size()) out_[filled_++] = static_cast<std::uint8_t>(index);
  }

  void run(int count, int code) {
    const std::size_t fitting = std::min<std::size_t>(count, width_ - std::min(column_, width_));
    for (std::size_t i = 0; i < fitting; ++i) put(!nibbles_ ? code : i % 2 == 0 ? code >> 4 : code & 15);
    column_ += fitting;
  }

  void skip() {
    const std::size_t right = next();
    const std::size_t rows = next();
    filled_ += std::min(out_.size() - filled_, right + rows * width_);
    column_ = filled_ % width_;
  }

  void literal(int count) {
    for (int i = 0; i < count; ++i) {
      if (!nibbles_) {
        put(next());
      } else {
        const int pair = next();
        put(pair >> 4);
        if (++i < count) put(pair & 15);
      }
    }
    const int bytes = nibbles_ ? (count + 1) / 2 : count;
    if (bytes % 2 != 0 && at_ < codes_.size()) ++at_;
    column_ += count;
  }

  ByteSpan codes_;
  bool nibbles_;
  std::size_t width_;
  std::size_t file_bytes_;
  std::size_t at_ = 0;
  std::size_t filled_ = 0;
  std::size_t column_ = 0;
  std::vector<std::uint8_t> out_;
};

/// Row `y` of the picture is this one of the stored rows.
int stored_row(const Header& header, int y) {
  return header.top_down ? y : header.size.height - 1 - y;
}

void decode_runs(ByteSpan bytes, const Header& header, const DecodeOptions& options, Image& image) {
  const Palette palette = options.raw_samples ? Palette::grey_ramp() : read_palette(bytes, header);
  const auto indices = RunDecoder(bytes.subspan(header.pixels_at), header, bytes.size()).decode();
  const int width = header.size.width;
  for (int y = 0; y < header.size.height; ++y) {
    palette.write(indices.data() + static_cast<std::size_t>(stored_row(header, y)) * width, width,
                  options.mode, image.row(y));
  }
}

std::size_t row_bytes(const Header& header) {
  return (static_cast<std::size_t>(header.size.width) * header.bits + 7) / 8;
}

std::size_t padded_row_bytes(const Header& header) {
  return (static_cast<std::size_t>(header.size.width) * header.bits + 31) / 32 * 4;
}

void decode_rows(ByteSpan bytes, const Header& header, const DecodeOptions& options, Image& image) {
  const ColorMode mode = options.mode;
  const int width = header.size.width;
  const std::size_t stride = padded_row_bytes(header);
  const std::uint8_t* pixels = bytes.data() + header.pixels_at;
  const Palette palette = options.raw_samples ? Palette::grey_ramp() : read_palette(bytes, header);
  const PixelUnpacker unpack(header);
  std::vector<std::uint8_t> row(static_cast<std::size_t>(width) * 3);
  for (int y = 0; y < header.size.height; ++y) {
    const std::uint8_t* packed = pixels + stride * stored_row(header, y);
    if (header.bits <= 8) {
      unpack_indices(packed, header.bits, width, row.data());
      palette.write(row.data(), width, mode, image.row(y));
    } else if (mode == ColorMode::RGB) {
      unpack(packed, width, image.row(y));
    } else {
      unpack(packed, width, row.data());
      write_rgb(row.data(), 3, width, mode, image.row(y));
    }
  }
}

/// Before anything of the picture's size is allocated.
void check_length(ByteSpan bytes, const Header& header) {
  if (header.pixels_at > bytes.size()) throw truncated(ImageFormat::bmp, bytes.size());
  if (header.compression == rle8 || header.compression == rle4) return;
  const auto rows = static_cast<std::size_t>(header.size.height);
  const std::size_t given = bytes.size() - header.pixels_at;
  if (given < row_bytes(header) || (given - row_bytes(header)) / padded_row_bytes(header) < rows - 1) {
    throw truncated(ImageFormat::bmp, bytes.size());
  }
}

}  // namespace

ImageInfo bmp_info(ByteSpan bytes) {
  return {ImageFormat::bmp, read_header(bytes).size, 3, 1};
}

Decoded decode_bmp(ByteSpan bytes, const DecodeOptions& options) {
  const Header header = read_header(bytes);
  check_limit(header.size, ImageFormat::bmp, options);
  check_length(bytes, header);
  Image image = new_picture(header.size, ImageFormat::bmp, options);
  if (header.compression == rle8 || header.compression == rle4) {
    decode_runs(bytes, header, options, image);
  } else {
    decode_rows(bytes, header, options, image);
  }
  return {std::move(image), 1};
}

}  // namespace kindling::detail
