#include "vision/codec_formats.hpp"

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <fmt/format.h>
#include <jpeglib.h>
// After jpeglib.h, whose types it uses.
#include <jerror.h>
#include <turbojpeg.h>

namespace kindling {
namespace detail {
namespace {

/// A progressive file may ask for its whole picture to be gone through as often as it likes; real ones have
/// about 10.
constexpr int max_scans = 500;
constexpr int max_rows_a_call = 16;

/// libjpeg's decompressor. libjpeg leaves by longjmp, so every call into it happens inside `run`, in a step
/// that owns nothing with a destructor.
class Decompressor {
 public:
  Decompressor(ByteSpan bytes, bool allow_truncated) : bytes_(bytes), allow_truncated_(allow_truncated) {
    info.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr common) { self(common).leave(Failure::damaged); };
    errors_.emit_message = [](j_common_ptr common, int level) { self(common).note(level); };
    errors_.output_message = [](j_common_ptr) {};
    info.client_data = this;
    run([this] { jpeg_create_decompress(&info); });
    install_source();
    progress_.progress_monitor = [](j_common_ptr common) {
      if (self(common).info.input_scan_number > max_scans) self(common).leave(Failure::scans);
    };
    info.progress = &progress_;
  }
  ~Decompressor() { jpeg_destroy_decompress(&info); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  template <class Step>
  void run(const Step& step) {
    static_assert(std::is_trivially_destructible_v<Step>);
    if (setjmp(jump_) != 0) fail();
    step();
  }

  /// The first damage that libjpeg went on after, in its words; empty when there was none.
  std::string trouble() const { return trouble_; }

  jpeg_decompress_struct info{};

 private:
  /// Messages are of warnings (-1) and of traces. Only warnings of lost picture data count: stray bytes
  /// between segments are common and harm nothing.
  void note(int level) {
    const int code = errors_.msg_code;
    const bool lost = code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_ARITH_BAD_CODE ||
                      code == JWRN_MUST_RESYNC;
    if (level < 0 && lost && trouble_[0] == 0)
      errors_.format_message(reinterpret_cast<j_common_ptr>(&info), trouble_);
  }

  enum class Failure { damaged, truncated, scans };

  static Decompressor& self(j_common_ptr common) { return *static_cast<Decompressor*>(common->client_data); }
  static Decompressor& self(j_decompress_ptr info) { return *static_cast<Decompressor*>(info->client_data); }

  [[noreturn]] void leave(Failure failure) {
    failure_ = failure;
    std::longjmp(jump_, 1);
  }

  [[noreturn]] void fail() {
    if (failure_ == Failure::truncated) throw truncated(ImageFormat::jpeg, bytes_.size());
    if (failure_ == Failure::scans) {
      throw Error(ErrorCode::limit, "the JPEG file has too many scans", {{"max_scans", max_scans}},
                  "save it again with an image editor");
    }
    char text[JMSG_LENGTH_MAX] = {};
    errors_.format_message(reinterpret_cast<j_common_ptr>(&info), text);
    throw damaged(ImageFormat::jpeg, text);
  }

  void install_source() {
    source_.next_input_byte = bytes_.data();
    source_.bytes_in_buffer = bytes_.size();
    source_.init_source = [](j_decompress_ptr) {};
    source_.term_source = [](j_decompress_ptr) {};
    source_.resync_to_restart = jpeg_resync_to_restart;
    source_.fill_input_buffer = [](j_decompress_ptr info) -> boolean {
      self(info).at_end();
      return TRUE;
    };
    source_.skip_input_data = [](j_decompress_ptr info, long count) {
      Decompressor& me = self(info);
      if (count <= 0) return;
      if (static_cast<std::size_t>(count) > me.source_.bytes_in_buffer) return me.at_end();
      me.source_.next_input_byte += count;
      me.source_.bytes_in_buffer -= static_cast<std::size_t>(count);
    };
    info.src = &source_;
  }

  /// An end-of-image marker makes libjpeg fill what is missing.
  void at_end() {
    static constexpr JOCTET end_of_image[] = {0xFF, JPEG_EOI};
    if (!allow_truncated_) leave(Failure::truncated);
    source_.next_input_byte = end_of_image;
    source_.bytes_in_buffer = sizeof end_of_image;
  }

  ByteSpan bytes_;
  bool allow_truncated_;
  Failure failure_ = Failure::damaged;
  jpeg_error_mgr errors_{};
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
  char trouble_[JMSG_LENGTH_MAX] = {};
  std::jmp_buf jump_{};
};

void read_header(Decompressor& jpeg, bool keep_exif) {
  jpeg.run([&jpeg, keep_exif] {
    if (keep_exif) jpeg_save_markers(&jpeg.info, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&jpeg.info, TRUE);
  });
  const int layers = jpeg.info.num_components;
  if (layers != 1 && layers != 3 && layers != 4) {
    throw not_supported(ImageFormat::jpeg, fmt::format("{} colour components", layers));
  }
}

int orientation_of(const jpeg_decompress_struct& info) {
  constexpr std::string_view prefix("Exif\0\0", 6);
  for (auto marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const ByteSpan data(marker->data, marker->data_length);
    if (std::string_view(reinterpret_cast<const char*>(data.data()), data.size()).starts_with(prefix)) {
      return exif_orientation(data);
    }
  }
  return 1;
}

Size size_of(const jpeg_decompress_struct& info) {
  return stored_size(info.image_width, info.image_height, ImageFormat::jpeg);
}

void reduce(jpeg_decompress_struct& info, const DecodeOptions& options) {
  if (!options.reduction) return;
  const int by = options.reduction(size_of(info));
  if (by != 1 && by != 2 && by != 4 && by != 8) {
    throw Error(ErrorCode::usage, "a JPEG can be reduced by 1, 2, 4 or 8 only", {{"got", by}});
  }
  info.scale_num = 8 / by;
  info.scale_denom = 8;
}

/// Rows that libjpeg gives as the picture has them.
void read_in_place(Decompressor& jpeg, Image& image) {
  jpeg.run([&info = jpeg.info, pixels = image.data(), stride = image.stride()] {
    while (info.output_scanline < info.output_height) {
      JSAMPROW rows[max_rows_a_call];
      const JDIMENSION first = info.output_scanline;
      const JDIMENSION wanted = std::min<JDIMENSION>(max_rows_a_call, info.output_height - first);
      for (JDIMENSION i = 0; i < wanted; ++i) rows[i] = pixels + (first + i) * stride;
      jpeg_read_scanlines(&info, rows, wanted);
    }
    jpeg_finish_decompress(&info);
  });
}

/// Rows that `write(row, y)` brings into the picture.
template <class Write>
void read_rows(Decompressor& jpeg, const Write& write) {
  std::vector<std::uint8_t> row(static_cast<std::size_t>(jpeg.info.output_width) *
                                jpeg.info.output_components);
  jpeg.run([&info = jpeg.info, &row, &write] {
    while (info.output_scanline < info.output_height) {
      JSAMPROW pixels = row.data();
      const auto y = static_cast<int>(info.output_scanline);
      jpeg_read_scanlines(&info, &pixels, 1);
      write(row, y);
    }
    jpeg_finish_decompress(&info);
  });
}

}  // namespace

ImageInfo jpeg_info(ByteSpan bytes) {
  Decompressor jpeg(bytes, false);
  read_header(jpeg, true);
  return {ImageFormat::jpeg, size_of(jpeg.info), jpeg.info.num_components, orientation_of(jpeg.info)};
}

Decoded decode_jpeg(ByteSpan bytes, const DecodeOptions& options) {
  Decompressor jpeg(bytes, options.allow_truncated);
  read_header(jpeg, options.exif_orientation);
  auto& info = jpeg.info;
  // libjpeg forgets its markers with the last row.
  const int orientation = options.exif_orientation ? orientation_of(info) : 1;
  check_limit(size_of(info), ImageFormat::jpeg, options);
  reduce(info, options);

  const bool inks = info.num_components == 4;
  const bool grey_to_grey = info.num_components == 1 && options.mode == ColorMode::L;
  info.out_color_space = inks ? JCS_CMYK : grey_to_grey ? JCS_GRAYSCALE : JCS_RGB;
  jpeg.run([&info] { jpeg_start_decompress(&info); });

  const auto width = static_cast<int>(info.output_width);
  Image image = new_picture({width, static_cast<int>(info.output_height)}, ImageFormat::jpeg, options);
  if (info.output_components == image.channels()) {
    read_in_place(jpeg, image);
  } else if (inks) {
    read_rows(jpeg, [&](std::vector<std::uint8_t>& row, int y) {
      // Pillow takes every such file for one of Adobe's, which store 255 for no ink.
      for (std::uint8_t& ink : row) ink = static_cast<std::uint8_t>(255 - ink);
      write_cmyk(row.data(), 4, width, options.mode, image.row(y));
    });
  } else {
    read_rows(jpeg, [&](const std::vector<std::uint8_t>& row, int y) {
      write_rgb(row.data(), 3, width, options.mode, image.row(y));
    });
  }
  return {std::move(image), orientation, jpeg.trouble()};
}

}  // namespace detail

Bytes encode_jpeg(const Image& image, int quality) {
  if (quality < 1 || quality > 100) {
    throw Error(ErrorCode::usage, "JPEG quality is 1 to 100", {{"got", quality}});
  }
  if (image.channels() != 1 && image.channels() != 3) {
    throw Error(ErrorCode::usage, "a JPEG has 1 or 3 channels", {{"channels", image.channels()}});
  }
  const std::unique_ptr<void, decltype(&tjDestroy)> codec(tjInitCompress(), &tjDestroy);
  if (!codec)
    throw Error(ErrorCode::internal, std::string("the JPEG encoder cannot start: ") + tjGetErrorStr());
  const bool grey = image.channels() == 1;
  unsigned char* data = nullptr;
  unsigned long size = 0;
  const int status =
      tjCompress2(codec.get(), image.data(), image.width(), 0, image.height(), grey ? TJPF_GRAY : TJPF_RGB,
                  &data, &size, grey ? TJSAMP_GRAY : TJSAMP_420, quality, TJFLAG_ACCURATEDCT);
  const std::unique_ptr<unsigned char, decltype(&tjFree)> keep(data, &tjFree);
  if (status != 0) {
    throw Error(ErrorCode::limit,
                std::string("the picture cannot be written as JPEG: ") + tjGetErrorStr2(codec.get()),
                {{"width", image.width()}, {"height", image.height()}},
                "JPEG ends at 65535 pixels a side; use PNG");
  }
  return Bytes(data, data + size);
}

}  // namespace kindling
