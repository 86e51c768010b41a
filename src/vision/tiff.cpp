#include "vision/codec_formats.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <tiffio.h>

namespace kindling::detail {
namespace {

constexpr tmsize_t most_a_library_allocation = tmsize_t{1} << 30;
constexpr int max_samples = 8;

/// libtiff on bytes in memory, with its messages kept instead of printed.
class TiffReader {
 public:
  explicit TiffReader(ByteSpan bytes) : bytes_(bytes) {
    const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                   &TIFFOpenOptionsFree);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), most_a_library_allocation);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), &on_error, this);
    TIFFOpenOptionsSetWarningHandlerExtR(
        options.get(), [](TIFF*, void*, const char*, const char*, va_list) { return 1; }, nullptr);
    tiff_ = TIFFClientOpenExt("", "rm", this, &on_read, &on_write, &on_seek, &on_close, &on_size, nullptr,
                              nullptr, options.get());
    if (tiff_ == nullptr) fail();
  }
  ~TiffReader() { TIFFClose(tiff_); }
  TiffReader(const TiffReader&) = delete;
  TiffReader& operator=(const TiffReader&) = delete;

  TIFF* get() const { return tiff_; }
  std::size_t file_bytes() const { return bytes_.size(); }

  template <class Int>
  Int field(std::uint32_t tag, Int otherwise) const {
    Int value = otherwise;
    return TIFFGetFieldDefaulted(tiff_, tag, &value) == 1 ? value : otherwise;
  }

  [[noreturn]] void fail() const {
    throw damaged(ImageFormat::tiff, message_[0] != '\0' ? message_ : "it cannot be read");
  }

 private:
  static TiffReader& self(thandle_t handle) { return *static_cast<TiffReader*>(handle); }

  static int on_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
    auto& me = *static_cast<TiffReader*>(user);
    if (me.message_[0] == '\0') std::vsnprintf(me.message_, sizeof me.message_, format, arguments);
    return 1;
  }
  static tmsize_t on_read(thandle_t handle, void* out, tmsize_t count) {
    auto& me = self(handle);
    if (me.at_ >= me.bytes_.size() || count <= 0) return 0;
    const std::size_t given = std::min<std::size_t>(count, me.bytes_.size() - me.at_);
    std::memcpy(out, me.bytes_.data() + me.at_, given);
    me.at_ += given;
    return static_cast<tmsize_t>(given);
  }
  static tmsize_t on_write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t on_seek(thandle_t handle, toff_t offset, int from) {
    auto& me = self(handle);
    const toff_t base = from == SEEK_SET ? 0 : from == SEEK_CUR ? me.at_ : me.bytes_.size();
    return me.at_ = base + offset;
  }
  static int on_close(thandle_t) { return 0; }
  static toff_t on_size(thandle_t handle) { return self(handle).bytes_.size(); }

  ByteSpan bytes_;
  toff_t at_ = 0;
  char message_[160] = {};
  TIFF* tiff_ = nullptr;
};

enum class Alpha { none, ignored, multiplied_in };

struct TiffLayout {
  Size size;
  int photometric = 0;
  int bits = 1;
  int samples = 1;
  int orientation = 1;
  Alpha alpha = Alpha::none;
  bool planes = false;      ///< each sample is stored in a plane of its own
  bool by_library = false;  ///< YCbCr that only libtiff's own conversion reads

  std::size_t row_bytes(std::size_t width) const { return (width * bits * samples + 7) / 8; }
};

int colour_samples(int photometric) {
  switch (photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_PALETTE:
      return 1;
    case PHOTOMETRIC_RGB:
    case PHOTOMETRIC_YCBCR:
      return 3;
    case PHOTOMETRIC_SEPARATED:
      return 4;
    default:
      throw not_supported(ImageFormat::tiff, fmt::format("photometric interpretation {}", photometric));
  }
}

void check_kind(const TiffReader& tiff, const TiffLayout& layout) {
  const int colours = colour_samples(layout.photometric);
  const bool one_channel = colours == 1;
  const bool depth_fits =
      layout.bits == 8 || (layout.bits == 16 && layout.photometric != PHOTOMETRIC_PALETTE) ||
      (one_channel && layout.samples == 1 && (layout.bits == 1 || layout.bits == 2 || layout.bits == 4));
  if (!depth_fits || layout.samples < colours || layout.samples > max_samples) {
    throw not_supported(ImageFormat::tiff, fmt::format("{} samples of {} bits", layout.samples, layout.bits));
  }
  const int format = tiff.field<std::uint16_t>(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  if (format != SAMPLEFORMAT_UINT && !(format == SAMPLEFORMAT_INT && layout.bits == 8 && one_channel)) {
    throw not_supported(ImageFormat::tiff, "signed or floating-point samples");
  }
}

Alpha alpha_of(const TiffReader& tiff) {
  std::uint16_t count = 0;
  const std::uint16_t* kinds = nullptr;
  if (TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_EXTRASAMPLES, &count, &kinds) != 1 || count == 0)
    return Alpha::none;
  return kinds[0] == EXTRASAMPLE_ASSOCALPHA ? Alpha::multiplied_in : Alpha::ignored;
}

TiffLayout read_layout(const TiffReader& tiff) {
  TiffLayout layout;
  layout.size = stored_size(tiff.field<std::uint32_t>(TIFFTAG_IMAGEWIDTH, 0),
                            tiff.field<std::uint32_t>(TIFFTAG_IMAGELENGTH, 0), ImageFormat::tiff);
  layout.photometric = tiff.field<std::uint16_t>(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
  layout.bits = tiff.field<std::uint16_t>(TIFFTAG_BITSPERSAMPLE, 1);
  layout.samples = tiff.field<std::uint16_t>(TIFFTAG_SAMPLESPERPIXEL, 1);
  layout.orientation = tiff.field<std::uint16_t>(TIFFTAG_ORIENTATION, 1);
  layout.alpha = alpha_of(tiff);
  layout.planes =
      layout.samples > 1 && tiff.field<std::uint16_t>(TIFFTAG_PLANARCONFIG, 1) == PLANARCONFIG_SEPARATE;
  const int compression = tiff.field<std::uint16_t>(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  if (compression == COMPRESSION_OJPEG ||
      TIFFIsCODECConfigured(static_cast<std::uint16_t>(compression)) == 0) {
    throw not_supported(ImageFormat::tiff, fmt::format("compression {}", compression));
  }
  check_kind(tiff, layout);
  if (layout.photometric == PHOTOMETRIC_YCBCR) {
    if (compression == COMPRESSION_JPEG && !layout.planes) {
      TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
      layout.photometric = PHOTOMETRIC_RGB;
    } else {
      layout.by_library = true;
    }
  }
  return layout;
}

Palette palette_of(const TiffReader& tiff, int bits) {
  Palette palette;
  const std::uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
  if (TIFFGetField(tiff.get(), TIFFTAG_COLORMAP, &red, &green, &blue) != 1) {
    throw damaged(ImageFormat::tiff, "its palette is missing");
  }
  const auto high = [](std::uint16_t value) { return static_cast<std::uint8_t>(value >> 8); };
  for (int i = 0; i < 1 << bits; ++i) palette.set(i, high(red[i]), high(green[i]), high(blue[i]));
  return palette;
}

/// Rows of stored samples into the wanted mode.
class TiffRows {
 public:
  TiffRows(const TiffReader& tiff, const TiffLayout& layout, const DecodeOptions& options)
      : layout_(layout), mode_(options.mode), raw_(options.raw_samples) {
    if (layout.photometric == PHOTOMETRIC_PALETTE)
      palette_ = raw_ ? Palette::grey_ramp() : palette_of(tiff, layout.bits);
  }

  void operator()(std::uint8_t* samples, int width, std::uint8_t* out) {
    const bool colour = colour_samples(layout_.photometric) > 1;
    if (layout_.bits < 8) samples = unpack(samples, width);
    if (layout_.bits == 16) narrow(samples, static_cast<std::size_t>(width) * layout_.samples, colour);
    if (layout_.alpha == Alpha::multiplied_in) divide_by_alpha(samples, width);
    if (layout_.photometric == PHOTOMETRIC_PALETTE) {
      squeeze(samples, width);
      palette_.write(samples, width, mode_, out);
    } else if (layout_.photometric == PHOTOMETRIC_SEPARATED) {
      write_cmyk(samples, layout_.samples, width, mode_, out);
    } else if (colour) {
      write_rgb(samples, layout_.samples, width, mode_, out);
    } else {
      // Pillow turns the scale of a 16-bit picture never round.
      if (layout_.photometric == PHOTOMETRIC_MINISWHITE && layout_.bits <= 8) invert(samples, width);
      write_grey(samples, layout_.samples, width, mode_, out);
    }
  }

 private:
  std::uint8_t* unpack(const std::uint8_t* packed, int width) {
    unpacked_.resize(width);
    const int in_a_byte = 8 / layout_.bits;
    const int most = (1 << layout_.bits) - 1;
    const int factor = layout_.photometric == PHOTOMETRIC_PALETTE || raw_ ? 1 : 255 / most;
    for (int x = 0; x < width; ++x) {
      const int shift = 8 - layout_.bits * (x % in_a_byte + 1);
      unpacked_[x] = static_cast<std::uint8_t>((packed[x / in_a_byte] >> shift & most) * factor);
    }
    return unpacked_.data();
  }

  /// 16 bits to 8 in place: colours keep their high byte, grey is clipped, as Pillow's conversions do.
  static void narrow(std::uint8_t* samples, std::size_t count, bool colour) {
    for (std::size_t i = 0; i < count; ++i) {
      std::uint16_t value = 0;
      std::memcpy(&value, samples + 2 * i, 2);
      samples[i] = static_cast<std::uint8_t>(colour ? value >> 8 : std::min<int>(value, 255));
    }
  }

  void divide_by_alpha(std::uint8_t* samples, int width) const {
    const int colours = colour_samples(layout_.photometric);
    for (int x = 0; x < width; ++x, samples += layout_.samples) {
      const int alpha = samples[colours];
      for (int i = 0; i < colours; ++i) {
        samples[i] = static_cast<std::uint8_t>(alpha == 0 ? 0 : std::min(255, samples[i] * 255 / alpha));
      }
    }
  }

  void squeeze(std::uint8_t* samples, int width) const {
    for (int x = 1; layout_.samples > 1 && x < width; ++x) {
      samples[x] = samples[static_cast<std::size_t>(x) * layout_.samples];
    }
  }

  void invert(std::uint8_t* samples, int width) const {
    for (std::size_t i = 0; i < static_cast<std::size_t>(width) * layout_.samples; ++i)
      samples[i] = 255 - samples[i];
  }

  const TiffLayout& layout_;
  ColorMode mode_;
  bool raw_;
  Palette palette_;
  std::vector<std::uint8_t> unpacked_;
};

/// The strips or tiles of the file, read one after the other into one buffer.
class Chunks {
 public:
  Chunks(const TiffReader& tiff, const TiffLayout& layout, const DecodeOptions& options)
      : tiff_(tiff), layout_(layout), tiled_(TIFFIsTiled(tiff.get()) != 0) {
    const auto whole = layout.size;
    if (tiled_) {
      size_ = stored_size(tiff.field<std::uint32_t>(TIFFTAG_TILEWIDTH, 0),
                          tiff.field<std::uint32_t>(TIFFTAG_TILELENGTH, 0), ImageFormat::tiff);
      check_limit(size_, ImageFormat::tiff, options);
    } else {
      const auto rows = tiff.field<std::uint32_t>(TIFFTAG_ROWSPERSTRIP, UINT32_MAX);
      size_ = {whole.width, static_cast<int>(std::clamp<std::int64_t>(rows, 1, whole.height))};
    }
    const auto row = layout.row_bytes(size_.width);
    chunk_bytes_ = row * size_.height;
    buffer_ = std::make_unique_for_overwrite<std::uint8_t[]>(chunk_bytes_);
    if (layout.planes) plane_ = std::make_unique_for_overwrite<std::uint8_t[]>(chunk_bytes_ / layout.samples);
  }

  /// Calls `use(left, top, width, row)` for every row of every chunk.
  template <class Use>
  void each_row(const Use& use) {
    for (int top = 0; top < layout_.size.height; top += step(size_.height, top, layout_.size.height)) {
      for (int left = 0; left < layout_.size.width; left += step(size_.width, left, layout_.size.width)) {
        const int rows = std::min(size_.height, layout_.size.height - top);
        const int width = std::min(size_.width, layout_.size.width - left);
        read(left, top, rows);
        for (int y = 0; y < rows; ++y)
          use(left, top + y, width, buffer_.get() + layout_.row_bytes(size_.width) * y);
      }
    }
  }

 private:
  static int step(int wanted, int at, int end) { return std::min(wanted, end - at); }

  void read(int left, int top, int rows) {
    if (!layout_.planes) return read_into(buffer_.get(), left, top, rows, 0, layout_.row_bytes(size_.width));
    const std::size_t sample_bytes = layout_.bits / 8;
    const std::size_t pixels = static_cast<std::size_t>(size_.width) * rows;
    for (int sample = 0; sample < layout_.samples; ++sample) {
      read_into(plane_.get(), left, top, rows, sample, size_.width * sample_bytes);
      std::uint8_t* out = buffer_.get() + sample * sample_bytes;
      for (std::size_t i = 0; i < pixels; ++i) {
        std::memcpy(out + i * sample_bytes * layout_.samples, plane_.get() + i * sample_bytes, sample_bytes);
      }
    }
  }

  void read_into(std::uint8_t* out, int left, int top, int rows, int sample, std::size_t row_bytes) const {
    TIFF* tiff = tiff_.get();
    const auto x = static_cast<std::uint32_t>(left), y = static_cast<std::uint32_t>(top);
    const auto plane = static_cast<std::uint16_t>(sample);
    const auto wanted = static_cast<tmsize_t>(row_bytes * (tiled_ ? size_.height : rows));
    const tmsize_t expected =
        tiled_ ? TIFFTileSize(tiff) : TIFFVStripSize(tiff, static_cast<std::uint32_t>(rows));
    if (expected != wanted) throw damaged(ImageFormat::tiff, "its rows have an unexpected length");
    const tmsize_t got = tiled_
                             ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, x, y, 0, plane), out, wanted)
                             : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, y, plane), out, wanted);
    if (got < 0) tiff_.fail();
    if (got != wanted) throw truncated(ImageFormat::tiff, tiff_.file_bytes());
  }

  const TiffReader& tiff_;
  const TiffLayout& layout_;
  bool tiled_;
  Size size_;
  std::size_t chunk_bytes_ = 0;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::unique_ptr<std::uint8_t[]> plane_;
};

void decode_by_library(const TiffReader& tiff, const TiffLayout& layout, ColorMode mode, Image& image) {
  const auto width = static_cast<std::uint32_t>(layout.size.width);
  const auto height = static_cast<std::uint32_t>(layout.size.height);
  const auto pixels = std::make_unique_for_overwrite<std::uint32_t[]>(std::size_t{width} * height);
  // Turning is left to `oriented`.
  TIFFSetField(tiff.get(), TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  if (TIFFReadRGBAImageOriented(tiff.get(), width, height, pixels.get(), ORIENTATION_TOPLEFT, 1) != 1)
    tiff.fail();
  std::vector<std::uint8_t> row(std::size_t{width} * 3);
  for (int y = 0; y < layout.size.height; ++y) {
    const std::uint32_t* packed = pixels.get() + std::size_t{width} * y;
    for (std::size_t x = 0; x < width; ++x) {
      row[3 * x] = static_cast<std::uint8_t>(TIFFGetR(packed[x]));
      row[3 * x + 1] = static_cast<std::uint8_t>(TIFFGetG(packed[x]));
      row[3 * x + 2] = static_cast<std::uint8_t>(TIFFGetB(packed[x]));
    }
    write_rgb(row.data(), 3, layout.size.width, mode, image.row(y));
  }
}

/// Uncompressed pixels that the file is too short to hold are refused before a buffer of their size is made.
void check_length(const TiffReader& tiff, const TiffLayout& layout) {
  if (tiff.field<std::uint16_t>(TIFFTAG_COMPRESSION, COMPRESSION_NONE) != COMPRESSION_NONE ||
      layout.by_library)
    return;
  if (tiff.file_bytes() / layout.size.height < layout.row_bytes(layout.size.width)) {
    throw truncated(ImageFormat::tiff, tiff.file_bytes());
  }
}

int valid_orientation(int orientation) {
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

}  // namespace

ImageInfo tiff_info(ByteSpan bytes) {
  const TiffReader tiff(bytes);
  const TiffLayout layout = read_layout(tiff);
  const int channels = layout.photometric == PHOTOMETRIC_PALETTE ? 3 : std::min(layout.samples, 4);
  return {ImageFormat::tiff, layout.size, channels, valid_orientation(layout.orientation)};
}

StoredPixels tiff_pixels(ByteSpan bytes) {
  const TiffReader tiff(bytes);
  const TiffLayout layout = read_layout(tiff);
  return {layout.bits, layout.photometric == PHOTOMETRIC_SEPARATED};
}

Decoded decode_tiff(ByteSpan bytes, const DecodeOptions& options) {
  const TiffReader tiff(bytes);
  const TiffLayout layout = read_layout(tiff);
  check_limit(layout.size, ImageFormat::tiff, options);
  check_length(tiff, layout);
  Image image = new_picture(layout.size, ImageFormat::tiff, options);
  if (layout.by_library) {
    decode_by_library(tiff, layout, options.mode, image);
  } else {
    TiffRows write(tiff, layout, options);
    Chunks(tiff, layout, options).each_row([&](int left, int y, int width, std::uint8_t* row) {
      write(row, width, image.row(y) + static_cast<std::size_t>(left) * image.channels());
    });
  }
  return {std::move(image), valid_orientation(layout.orientation)};
}

}  // namespace kindling::detail
