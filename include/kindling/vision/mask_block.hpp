#pragma once
/// The class of each pixel of a picture, out of a file.

#include <kindling/data/block.hpp>
#include <kindling/data/mask_codes.hpp>

namespace kindling {

/// Opens a path or encoded bytes as a mask: the stored samples without conversion, a palette's indices, grey
/// values. A coloured picture whose channels are equal everywhere is taken too; another throws `bad_data`.
class OpenMask {
 public:
  static constexpr const char* name = "OpenMask";
  explicit OpenMask(bool exif_orientation = true) : exif_orientation_(exif_orientation) {}
  Mask encodes(const fs::path& path) const;
  Mask encodes(const Bytes& encoded) const;
  Mask encodes(const Image& image) const;
  Json to_json() const { return {{"exif_orientation", exif_orientation_}}; }
  static OpenMask from_json(const Json& json) { return OpenMask(json.at("exif_orientation").get<bool>()); }

 private:
  bool exif_orientation_;
};

struct MaskBlockOptions {
  std::vector<std::string> codes = {};  ///< names of the classes 0, 1, 2 …: the target's vocabulary
  int void_value = -1;                  ///< a value that stands for no class, e.g. 255
  bool exif_orientation = true;         ///< as the picture's block has it
};

/// Masks in files, to int64 N x H x W.
Block MaskBlock(MaskBlockOptions options = {});

}  // namespace kindling
