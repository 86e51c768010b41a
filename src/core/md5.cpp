#include "core/md5.hpp"

#include <kindling/core/error.hpp>

#include "core/file_descriptor.hpp"

#include <array>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>

namespace kindling::detail {

std::string md5_of(std::span<const std::uint8_t> bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_md5(), nullptr) != 1)
    throw Error(ErrorCode::internal, "OpenSSL cannot compute MD5");
  std::string out;
  for (unsigned int i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

std::string md5_of_start(const std::filesystem::path& path) {
  const auto file = open_for_reading(path);
  std::vector<std::uint8_t> bytes(md5_start_bytes);
  bytes.resize(read_some(file, bytes.data(), bytes.size(), path));
  return md5_of(bytes);
}

}  // namespace kindling::detail
