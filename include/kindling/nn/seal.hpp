#pragma once
/// A seal over a safetensors file: its SHA-256, kept in its own metadata, so that a change of any byte is found.
///
/// The digest is that of the whole file with the seal's 64 digits taken as zeros (docs/formats/model.md).

#include <cstdint>
#include <span>
#include <string>

namespace kindling {

/// Metadata key of the manifest, and of the seal.
inline constexpr const char* manifest_key = "kindling";
inline constexpr const char* seal_key = "sha256";
/// What stands there while the digest is made.
inline constexpr const char* unsealed = "0000000000000000000000000000000000000000000000000000000000000000";

/// Throws `checksum` where the file's bytes are not those that were sealed, or where there is no seal.
void check_seal(std::span<const std::uint8_t> file, const std::string& where);

}  // namespace kindling
