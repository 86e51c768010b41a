#include <kindling/core/error.hpp>
#include <kindling/data/normalize.hpp>
#include <kindling/vision/image_block.hpp>

namespace kindling {

DecodeOptions OpenImage::decode_options(const ItemContext& context) const {
  DecodeOptions decode{.mode = options_.mode, .exif_orientation = options_.exif_orientation};
  if (options_.reduced_decoding) decode.reduction = context.reduction;
  return decode;
}

Image OpenImage::encodes(const fs::path& path, const ItemContext& context) const {
  return open_image(path, decode_options(context));
}

Image OpenImage::encodes(const Category& path, const ItemContext& context) const {
  return encodes(fs::path(path.name), context);
}

Image OpenImage::encodes(const Text& path, const ItemContext& context) const {
  return encodes(fs::path(path.text), context);
}

Image OpenImage::encodes(const Bytes& encoded, const ItemContext& context) const {
  return decode_image(encoded, decode_options(context));
}

Image OpenImage::encodes(const Image& image) const {
  const int channels = options_.mode == ColorMode::RGB ? 3 : 1;
  if (image.channels() == channels) return image;
  if (image.channels() == 3) return to_grey(image);
  if (image.channels() != 1) {
    throw Error(ErrorCode::bad_image, "a picture has 1 channel or 3", {{"channels", image.channels()}});
  }
  Image rgb(image.size(), 3);
  for (std::size_t i = 0; i < image.bytes(); ++i) {
    rgb.data()[3 * i] = rgb.data()[3 * i + 1] = rgb.data()[3 * i + 2] = image.data()[i];
  }
  return rgb;
}

Json OpenImage::to_json() const {
  return {{"mode", options_.mode == ColorMode::RGB ? "RGB" : "L"},
          {"exif_orientation", options_.exif_orientation},
          {"reduced_decoding", options_.reduced_decoding}};
}

OpenImage OpenImage::from_json(const Json& json) {
  return OpenImage({.mode = json.at("mode").get<std::string>() == "L" ? ColorMode::L : ColorMode::RGB,
                    .exif_orientation = json.at("exif_orientation").get<bool>(),
                    .reduced_decoding = json.at("reduced_decoding").get<bool>()});
}

Block ImageBlock(ImageBlockOptions options) {
  return {.type_tfms = {OpenImage(options)}, .batch_tfms = {IntToFloatTensor{}}};
}

}  // namespace kindling
