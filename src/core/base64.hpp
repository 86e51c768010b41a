#pragma once
/// Bytes as text (RFC 4648), e.g. for pictures inside a page.

#include <cstdint>
#include <span>
#include <string>

namespace kindling::detail {

std::string base64(std::span<const std::uint8_t> bytes);

}  // namespace kindling::detail
