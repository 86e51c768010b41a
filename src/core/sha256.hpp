#pragma once
/// SHA-256 of bytes that arrive piece by piece.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace kindling::detail {

class Sha256 {
 public:
  Sha256();
  void update(std::span<const std::uint8_t> bytes);
  /// Lower-case hex; ends the digest.
  std::string hex();

 private:
  std::shared_ptr<void> context_;
};

}  // namespace kindling::detail
