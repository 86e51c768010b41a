#include "core/sha256.hpp"

#include <kindling/core/error.hpp>
#include <kindling/core/files.hpp>

#include "core/file_descriptor.hpp"

#include <array>

#include <fmt/format.h>
#include <openssl/evp.h>

namespace kindling {

namespace detail {

namespace {

void require(bool worked) {
  if (!worked) throw Error(ErrorCode::internal, "OpenSSL cannot compute SHA-256");
}

EVP_MD_CTX* raw(const std::shared_ptr<void>& context) {
  return static_cast<EVP_MD_CTX*>(context.get());
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new(), [](void* p) { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(p)); }) {
  require(context_ != nullptr && EVP_DigestInit_ex(raw(context_), EVP_sha256(), nullptr) == 1);
}

void Sha256::update(std::span<const std::uint8_t> bytes) {
  require(EVP_DigestUpdate(raw(context_), bytes.data(), bytes.size()) == 1);
}

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  require(EVP_DigestFinal_ex(raw(context_), digest.data(), &size) == 1);
  std::string out;
  for (unsigned int i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

}  // namespace detail

std::string sha256_of(const fs::path& path) {
  const auto file = detail::open_for_reading(path);
  detail::Sha256 digest;
  detail::read_blocks(file, path, [&](std::span<const std::uint8_t> block) { digest.update(block); });
  return digest.hex();
}

std::string sha256_of(std::span<const std::uint8_t> bytes) {
  detail::Sha256 digest;
  digest.update(bytes);
  return digest.hex();
}

}  // namespace kindling
