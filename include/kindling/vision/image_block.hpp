#pragma once
/// A picture as member of an item.

#include <kindling/data/block.hpp>
#include <kindling/vision/codec.hpp>

namespace kindling {

struct ImageBlockOptions {
  ColorMode mode = ColorMode::RGB;
  /// Turn photos as their EXIF orientation says; false equals fastai.
  bool exif_orientation = true;
  /// Decode big JPEGs at reduced scale where they stay at least twice as large as the item transforms make
  /// them; false decodes every pixel, as fastai.
  bool reduced_decoding = true;
};

/// Opens a path (text out of a table is one too) or encoded bytes; a picture that is open already is brought
/// to the colour mode.
class OpenImage {
 public:
  static constexpr const char* name = "OpenImage";
  explicit OpenImage(ImageBlockOptions options = {}) : options_(options) {}
  Image encodes(const fs::path& path, const ItemContext& context) const;
  Image encodes(const Category& path, const ItemContext& context) const;
  Image encodes(const Text& path, const ItemContext& context) const;
  Image encodes(const Bytes& encoded, const ItemContext& context) const;
  Image encodes(const Image& image) const;
  bool deterministic(Split) const { return true; }
  Json to_json() const;
  static OpenImage from_json(const Json& json);

 private:
  DecodeOptions decode_options(const ItemContext& context) const;
  ImageBlockOptions options_;
};

/// Pictures in files, to float tensors N x C x H x W in [0, 1].
Block ImageBlock(ImageBlockOptions options = {});

}  // namespace kindling
