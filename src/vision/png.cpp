#include "vision/codec_formats.hpp"

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include <fmt/format.h>
#include <png.h>

namespace kindling {
namespace detail {
namespace {

constexpr std::size_t signature_bytes = 8;
constexpr std::size_t header_end = signature_bytes + 8 + 13;

std::uint32_t big_endian(const std::uint8_t* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | at[3];
}

/// The contents of the first chunk of that name. Its checksum is not looked at: the worst outcome is an
/// unturned picture.
ByteSpan find_png_chunk(ByteSpan bytes, std::string_view name) {
  std::size_t at = signature_bytes;
  while (at <= bytes.size() && bytes.size() - at >= 12) {
    const std::size_t length = big_endian(&bytes[at]);
    if (length > bytes.size() - at - 12) return {};
    if (std::memcmp(&bytes[at + 4], name.data(), 4) == 0) return bytes.subspan(at + 8, length);
    at += length + 12;
  }
  return {};
}

/// libpng's reader. libpng leaves by longjmp, so every call into it happens inside `run`, in a step that owns
/// nothing with a destructor.
class PngReader {
 public:
  explicit PngReader(ByteSpan bytes) : rest_(bytes), size_(bytes.size()) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &on_error, [](png_structp, png_const_charp) {});
    if (png != nullptr) info = png_create_info_struct(png);
    if (info == nullptr) {
      png_destroy_read_struct(&png, &info, nullptr);
      throw Error(ErrorCode::internal, "the PNG decoder cannot start");
    }
    png_set_read_fn(png, this, &on_read);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    // Everything that is not needed for the pixels is skipped unread.
    static constexpr png_byte unused[] =
        "bKGD\0cHRM\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0"
        "sPLT\0sRGB\0tEXt\0tIME\0tRNS\0zTXt\0eXIf";
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, unused, sizeof unused / 5);
  }
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  template <class Step>
  void run(const Step& step) {
    static_assert(std::is_trivially_destructible_v<Step>);
    if (setjmp(jump_) != 0) {
      if (ended_) throw truncated(ImageFormat::png, size_);
      throw damaged(ImageFormat::png, message_);
    }
    step();
  }

  png_structp png = nullptr;
  png_infop info = nullptr;

 private:
  static void on_error(png_structp png, png_const_charp message) {
    auto& me = *static_cast<PngReader*>(png_get_error_ptr(png));
    std::snprintf(me.message_, sizeof me.message_, "%s", message);
    std::longjmp(me.jump_, 1);
  }

  static void on_read(png_structp png, png_bytep out, std::size_t count) {
    auto& me = *static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > me.rest_.size()) {
      me.ended_ = true;
      png_error(png, "the data end");
    }
    std::memcpy(out, me.rest_.data(), count);
    me.rest_ = me.rest_.subspan(count);
  }

  ByteSpan rest_;
  std::size_t size_;
  bool ended_ = false;
  char message_[128] = {};
  std::jmp_buf jump_{};
};

/// What libpng is asked to deliver: bytes, one a sample, without alpha; grey of 16 bits stays as it is.
struct PngLayout {
  Size size;
  int color_type = 0;
  int passes = 1;
  std::size_t row_bytes = 0;
  bool grey_16 = false;
};

PngLayout read_header(PngReader& reader, const DecodeOptions& options) {
  PngLayout layout;
  reader.run([&reader] { png_read_info(reader.png, reader.info); });
  const auto png = reader.png;
  const auto info = reader.info;
  layout.size =
      stored_size(png_get_image_width(png, info), png_get_image_height(png, info), ImageFormat::png);
  check_limit(layout.size, ImageFormat::png, options);
  layout.color_type = png_get_color_type(png, info);
  layout.grey_16 = layout.color_type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) == 16;
  const bool raw = options.raw_samples;
  reader.run([png, info, raw, &layout] {
    if (layout.color_type == PNG_COLOR_TYPE_GRAY && !raw) png_set_expand_gray_1_2_4_to_8(png);
    if (layout.color_type == PNG_COLOR_TYPE_PALETTE || raw) png_set_packing(png);
    if (!layout.grey_16) png_set_strip_16(png);
    png_set_strip_alpha(png);
    layout.passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
  });
  layout.row_bytes = png_get_rowbytes(png, info);
  return layout;
}

Palette palette_of(const PngReader& reader) {
  Palette palette;
  png_colorp colours = nullptr;
  int count = 0;
  png_get_PLTE(reader.png, reader.info, &colours, &count);
  for (int i = 0; i < std::min(count, 256); ++i)
    palette.set(i, colours[i].red, colours[i].green, colours[i].blue);
  return palette;
}

/// Turns delivered rows into the wanted mode.
class PngRows {
 public:
  PngRows(const PngReader& reader, const PngLayout& layout, const DecodeOptions& options)
      : layout_(layout), mode_(options.mode) {
    if (layout.color_type == PNG_COLOR_TYPE_PALETTE)
      palette_ = options.raw_samples ? Palette::grey_ramp() : palette_of(reader);
  }
  /// Whether delivered rows are the picture's rows already.
  bool copies() const {
    return layout_.color_type & PNG_COLOR_MASK_COLOR
               ? mode_ == ColorMode::RGB && !(layout_.color_type & PNG_COLOR_MASK_PALETTE)
               : mode_ == ColorMode::L && !layout_.grey_16;
  }
  void operator()(std::uint8_t* row, std::uint8_t* out) const {
    const int width = layout_.size.width;
    if (layout_.color_type == PNG_COLOR_TYPE_PALETTE) return palette_.write(row, width, mode_, out);
    if (layout_.color_type & PNG_COLOR_MASK_COLOR) return write_rgb(row, 3, width, mode_, out);
    if (layout_.grey_16) {
      // Pillow's I;16 to L and RGB clips; it does not scale.
      for (int x = 0; x < width; ++x) row[x] = row[2 * x] != 0 ? 255 : row[2 * x + 1];
    }
    write_grey(row, 1, width, mode_, out);
  }

 private:
  const PngLayout& layout_;
  ColorMode mode_;
  Palette palette_;
};

/// Reads up to the last pixel. What follows it may be missing or broken, as in Pillow.
void read_rows(PngReader& reader, const PngLayout& layout, std::uint8_t* pixels, std::size_t stride) {
  reader.run([&reader, &layout, pixels, stride] {
    for (int pass = 0; pass < layout.passes; ++pass) {
      for (int y = 0; y < layout.size.height; ++y) png_read_row(reader.png, pixels + stride * y, nullptr);
    }
  });
}

}  // namespace

ImageInfo png_info(ByteSpan bytes) {
  if (bytes.size() < header_end) throw truncated(ImageFormat::png, bytes.size());
  if (std::memcmp(&bytes[signature_bytes + 4], "IHDR", 4) != 0) {
    throw damaged(ImageFormat::png, "it does not begin with a header");
  }
  const std::uint8_t* header = &bytes[signature_bytes + 8];
  const Size size = stored_size(big_endian(header), big_endian(header + 4), ImageFormat::png);
  int channels = 0;
  switch (header[9]) {
    case PNG_COLOR_TYPE_GRAY:
      channels = 1;
      break;
    case PNG_COLOR_TYPE_GRAY_ALPHA:
      channels = 2;
      break;
    case PNG_COLOR_TYPE_RGB:
    case PNG_COLOR_TYPE_PALETTE:
      channels = 3;
      break;
    case PNG_COLOR_TYPE_RGB_ALPHA:
      channels = 4;
      break;
    default:
      throw damaged(ImageFormat::png, fmt::format("colour type {} does not exist", header[9]));
  }
  return {ImageFormat::png, size, channels, exif_orientation(find_png_chunk(bytes, "eXIf"))};
}

Decoded decode_png(ByteSpan bytes, const DecodeOptions& options) {
  PngReader reader(bytes);
  const PngLayout layout = read_header(reader, options);
  Image image = new_picture(layout.size, ImageFormat::png, options);
  const PngRows write(reader, layout, options);
  const int height = layout.size.height;
  if (write.copies()) {
    read_rows(reader, layout, image.data(), image.stride());
  } else if (layout.passes > 1) {
    std::vector<std::uint8_t> raw(layout.row_bytes * height);
    read_rows(reader, layout, raw.data(), layout.row_bytes);
    for (int y = 0; y < height; ++y) write(raw.data() + layout.row_bytes * y, image.row(y));
  } else {
    std::vector<std::uint8_t> row(layout.row_bytes);
    reader.run([&] {
      for (int y = 0; y < height; ++y) {
        png_read_row(reader.png, row.data(), nullptr);
        write(row.data(), image.row(y));
      }
    });
  }
  return {std::move(image), options.exif_orientation ? exif_orientation(find_png_chunk(bytes, "eXIf")) : 1};
}

}  // namespace detail

Bytes encode_png(const Image& image) {
  if (image.channels() != 1 && image.channels() != 3) {
    throw Error(ErrorCode::usage, "a PNG is written of 1 or 3 channels", {{"channels", image.channels()}});
  }
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width());
  png.height = static_cast<png_uint_32>(image.height());
  png.format = image.channels() == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  Bytes bytes(size);
  if (png_image_write_to_memory(&png, bytes.data(), &size, 0, image.data(), 0, nullptr) == 0) {
    throw Error(ErrorCode::limit, fmt::format("the picture cannot be written as PNG: {}", png.message),
                {{"width", image.width()}, {"height", image.height()}});
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace kindling
