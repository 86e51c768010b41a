#pragma once
/// What one look at each file of a data set tells: whether it can be decoded, what it is, and how to know it
/// again. No pixels are kept, so that a data set of any size is gone through in one pass.
///
///   std::vector<ImageFacts> facts = examine_images(get_image_files("photos"));
///
/// doctor.hpp makes a report of them.

#include <kindling/vision/verify.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kindling {

struct ImageFacts {
  std::uint64_t bytes = 0;            ///< of the file
  std::optional<ImageFormat> format;  ///< by the content; nothing for what is no picture
  std::optional<ImageInfo> info;      ///< of the header, where it could be read
  int bits = 8;                       ///< of a sample as stored
  bool inks = false;                  ///< stored in printing colours (CMYK)
  std::optional<Error> error;         ///< why the picture cannot be decoded
  bool truncated = false;             ///< the error is that the file ends early
  std::string trouble;                ///< damage that the decoder got over: some pixels are made up
  /// SHA-256 of the bytes. Empty where no other file of the same call has as many: then it is like none.
  std::string content;

  /// Of a decoded picture, upright, brought to 32 x 32 and grey:
  int contrast = 0;                           ///< its lightest value less its darkest
  std::uint64_t look = 0;                     ///< signs of its lowest frequencies; alike for alike pictures
  std::array<std::uint8_t, 256> thumbnail{};  ///< 16 x 16
};

/// Looks at every file once, on threads, and changes none. JPEGs are decoded at a reduced size, but to their
/// last byte. The colour mode of the options does not matter here. Throws `interrupted` when that was
/// requested.
std::vector<ImageFacts> examine_images(const Paths& files, const VerifyOptions& options = {});

}  // namespace kindling
