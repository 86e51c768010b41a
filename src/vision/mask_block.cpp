#include <kindling/core/error.hpp>
#include <kindling/data/normalize.hpp>
#include <kindling/data/points.hpp>
#include <kindling/vision/codec.hpp>
#include <kindling/vision/mask_block.hpp>

namespace kindling {

Mask OpenMask::encodes(const fs::path& path) const {
  try {
    return encodes(read_file(path));
  } catch (Error& e) {
    throw e.with({"mask", path});
  }
}

Mask OpenMask::encodes(const Bytes& encoded) const {
  // In colour even where grey would do: raw samples of a palette or of grey come out with equal channels,
  // while the grey of a coloured file would be a mixture that looks like classes.
  DecodeOptions options{.exif_orientation = exif_orientation_, .raw_samples = true};
  if (image_info(encoded).channels == 1) options.mode = ColorMode::L;
  return encodes(decode_image(encoded, options));
}

Mask OpenMask::encodes(const Image& image) const {
  if (image.channels() == 1) return {image};
  if (image.channels() != 3)
    throw Error(ErrorCode::bad_data, "a mask has one channel", {{"channels", image.channels()}});
  Image mask(image.size(), 1);
  for (std::size_t i = 0; i < mask.bytes(); ++i) {
    const std::uint8_t* rgb = image.data() + 3 * i;
    if (rgb[0] != rgb[1] || rgb[0] != rgb[2]) {
      throw Error(ErrorCode::bad_data, "this mask is a picture in colours, and colours are no class indices",
                  {}, "save masks with one channel (grey or palette) whose values are the classes 0, 1, 2 …");
    }
    mask.data()[i] = rgb[0];
  }
  return {mask};
}

Block MaskBlock(MaskBlockOptions options) {
  return {.type_tfms = {OpenMask(options.exif_orientation),
                        MaskCodes(std::move(options.codes), options.void_value)},
          .item_tfms = {FitsPicture{}},
          .batch_tfms = {IntToFloatTensor{}},
          .target = TargetKind::mask};
}

}  // namespace kindling
