#include "vision/codec_formats.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gif_lib.h>

namespace kindling::detail {
namespace {

constexpr int graphics_control = 0xF9;

class GifReader {
 public:
  explicit GifReader(ByteSpan bytes) : rest_(bytes), size_(bytes.size()) {
    int code = 0;
    gif_ = DGifOpen(this, &on_read, &code);
    if (gif_ == nullptr) fail(code);
  }
  ~GifReader() { DGifCloseFile(gif_, nullptr); }
  GifReader(const GifReader&) = delete;
  GifReader& operator=(const GifReader&) = delete;

  const GifFileType& file() const { return *gif_; }

  /// Goes to the first picture and reads its description. Gives the transparent index set for it.
  std::optional<int> find_picture() {
    std::optional<int> transparent;
    while (true) {
      GifRecordType record = UNDEFINED_RECORD_TYPE;
      check(DGifGetRecordType(gif_, &record));
      if (record == TERMINATE_RECORD_TYPE) throw damaged(ImageFormat::gif, "it holds no picture");
      if (record == IMAGE_DESC_RECORD_TYPE) {
        check(DGifGetImageDesc(gif_));
        return transparent;
      }
      if (record == EXTENSION_RECORD_TYPE) read_extension(transparent);
    }
  }

  void read_line(std::uint8_t* out, int width) { check(DGifGetLine(gif_, out, width)); }

 private:
  void read_extension(std::optional<int>& transparent) {
    int kind = 0;
    GifByteType* block = nullptr;
    check(DGifGetExtension(gif_, &kind, &block));
    if (kind == graphics_control && block != nullptr && block[0] >= 4 && (block[1] & 1))
      transparent = block[4];
    while (block != nullptr) check(DGifGetExtensionNext(gif_, &block));
  }

  void check(int status) {
    if (status != GIF_OK) fail(gif_->Error);
  }

  [[noreturn]] void fail(int code) {
    if (ended_) throw truncated(ImageFormat::gif, size_);
    const char* text = GifErrorString(code);
    throw damaged(ImageFormat::gif, text != nullptr ? text : "it cannot be read");
  }

  static int on_read(GifFileType* gif, GifByteType* out, int count) {
    auto& me = *static_cast<GifReader*>(gif->UserData);
    const std::size_t given = std::min<std::size_t>(std::max(count, 0), me.rest_.size());
    std::memcpy(out, me.rest_.data(), given);
    me.rest_ = me.rest_.subspan(given);
    if (given < static_cast<std::size_t>(count)) me.ended_ = true;
    return static_cast<int>(given);
  }

  ByteSpan rest_;
  std::size_t size_;
  bool ended_ = false;
  GifFileType* gif_ = nullptr;
};

/// The frame's colours. As in Pillow, no palette or one that is a grey ramp makes the picture grey.
Palette palette_of(const GifFileType& gif) {
  const ColorMapObject* map = gif.Image.ColorMap != nullptr ? gif.Image.ColorMap : gif.SColorMap;
  if (map == nullptr) return Palette::grey_ramp();
  Palette palette;
  const int count = std::min(map->ColorCount, 256);
  for (int i = 0; i < count; ++i)
    palette.set(i, map->Colors[i].Red, map->Colors[i].Green, map->Colors[i].Blue);
  return palette.is_ramp(count) ? Palette::grey_ramp() : palette;
}

/// The screen, grown where the first frame is larger.
Size canvas_of(const GifFileType& gif) {
  const auto& frame = gif.Image;
  stored_size(frame.Width, frame.Height, ImageFormat::gif);
  return stored_size(std::max<std::int64_t>(gif.SWidth, std::int64_t{frame.Left} + frame.Width),
                     std::max<std::int64_t>(gif.SHeight, std::int64_t{frame.Top} + frame.Height),
                     ImageFormat::gif);
}

/// Frame rows in the order in which they are stored.
std::vector<int> row_order(int height, bool interlaced) {
  struct Pass {
    int first, step;
  };
  constexpr Pass whole[] = {{0, 1}};
  constexpr Pass four[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
  std::vector<int> rows;
  rows.reserve(height);
  for (const Pass& pass : interlaced ? std::span<const Pass>(four) : std::span<const Pass>(whole)) {
    for (int y = pass.first; y < height; y += pass.step) rows.push_back(y);
  }
  return rows;
}

}  // namespace

ImageInfo gif_info(ByteSpan bytes) {
  GifReader reader(bytes);
  reader.find_picture();
  return {ImageFormat::gif, canvas_of(reader.file()), 3, 1};
}

Decoded decode_gif(ByteSpan bytes, const DecodeOptions& options) {
  GifReader reader(bytes);
  const int background = reader.find_picture().value_or(0);
  const auto& frame = reader.file().Image;
  Image image = new_picture(canvas_of(reader.file()), ImageFormat::gif, options);
  const Palette palette = options.raw_samples ? Palette::grey_ramp() : palette_of(reader.file());
  const std::size_t left = static_cast<std::size_t>(frame.Left) * image.channels();
  if (Size{frame.Width, frame.Height} != image.size()) {
    const std::vector<std::uint8_t> row(image.width(), static_cast<std::uint8_t>(background));
    for (int y = 0; y < image.height(); ++y)
      palette.write(row.data(), image.width(), options.mode, image.row(y));
  }
  std::vector<std::uint8_t> row(frame.Width);
  for (const int y : row_order(frame.Height, frame.Interlace)) {
    reader.read_line(row.data(), frame.Width);
    palette.write(row.data(), frame.Width, options.mode, image.row(frame.Top + y) + left);
  }
  return {std::move(image), 1};
}

}  // namespace kindling::detail
