#include "core/sha256.hpp"

#include <kindling/core/error.hpp>
#include <kindling/nn/seal.hpp>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace kindling {

void check_seal(std::span<const std::uint8_t> file, const std::string& where) {
  // Quotes inside of metadata values are escaped, so that only the key itself reads like this.
  static constexpr std::string_view before = "\"sha256\":\"";
  static constexpr std::size_t digits = 64;
  std::uint64_t header = 0;
  if (file.size() >= sizeof header) std::memcpy(&header, file.data(), sizeof header);
  const std::size_t end = sizeof header + std::min<std::uint64_t>(header, file.size());
  const std::string_view text(reinterpret_cast<const char*>(file.data()), std::min(end, file.size()));
  const std::size_t found = text.find(before);
  if (found == std::string_view::npos || text.size() - found < before.size() + digits) {
    throw Error(ErrorCode::checksum, "the file has no seal", {{"path", where}});
  }
  const std::size_t at = found + before.size();
  detail::Sha256 sha;
  sha.update(file.first(at));
  sha.update({reinterpret_cast<const std::uint8_t*>(unsealed), digits});
  sha.update(file.subspan(at + digits));
  const std::string expected(text.substr(at, digits));
  if (const std::string got = sha.hex(); got != expected) {
    throw Error(ErrorCode::checksum, "the file's bytes are not those that were written",
                {{"path", where}, {"expected sha256", expected}, {"got", got}});
  }
}

}  // namespace kindling
