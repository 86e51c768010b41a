#include "core/address_guard.hpp"

#include <kindling/core/error.hpp>

#include "core/curl_support.hpp"
#include "core/http_transfer.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

namespace kindling::detail {

namespace {

struct Block4 {
  std::uint32_t network;
  int bits;
};

constexpr std::uint32_t ip4(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

/// IANA's special-purpose blocks of IPv4, and multicast.
constexpr std::array reserved4{
    Block4{ip4(0, 0, 0, 0), 8},       Block4{ip4(10, 0, 0, 0), 8},      Block4{ip4(100, 64, 0, 0), 10},
    Block4{ip4(127, 0, 0, 0), 8},     Block4{ip4(169, 254, 0, 0), 16},  Block4{ip4(172, 16, 0, 0), 12},
    Block4{ip4(192, 0, 0, 0), 24},    Block4{ip4(192, 0, 2, 0), 24},    Block4{ip4(192, 88, 99, 0), 24},
    Block4{ip4(192, 168, 0, 0), 16},  Block4{ip4(198, 18, 0, 0), 15},   Block4{ip4(198, 51, 100, 0), 24},
    Block4{ip4(203, 0, 113, 0), 24},  Block4{ip4(224, 0, 0, 0), 4},     Block4{ip4(240, 0, 0, 0), 4},
};

bool is_public4(std::uint32_t address) {
  return std::ranges::none_of(reserved4, [&](const Block4& block) {
    const std::uint32_t mask = ~std::uint32_t{0} << (32 - block.bits);
    return (address & mask) == block.network;
  });
}

std::uint32_t big_endian(const std::uint8_t* bytes) {
  return ip4(bytes[0], bytes[1], bytes[2], bytes[3]);
}

bool is_public6(std::span<const std::uint8_t, 16> a) {
  const auto begins = [&](std::initializer_list<int> prefix) {
    return std::equal(prefix.begin(), prefix.end(), a.begin());
  };
  const auto zeros = [&](std::size_t from, std::size_t to) {
    return std::all_of(a.begin() + from, a.begin() + to, [](std::uint8_t byte) { return byte == 0; });
  };
  // IPv4 inside: mapped, compatible (and ::, ::1), translated (NAT64), 6to4.
  if (zeros(0, 10) && a[10] == 0xFF && a[11] == 0xFF) return is_public4(big_endian(&a[12]));
  if (zeros(0, 12)) return is_public4(big_endian(&a[12]));
  if (begins({0x00, 0x64, 0xFF, 0x9B}) && zeros(4, 12)) return is_public4(big_endian(&a[12]));
  if (begins({0x20, 0x02})) return is_public4(big_endian(&a[2]));
  // Teredo and documentation; all else that is public is in 2000::/3.
  if (begins({0x20, 0x01, 0x00, 0x00}) || begins({0x20, 0x01, 0x0D, 0xB8})) return false;
  return (a[0] & 0xE0) == 0x20;
}

/// Whether the text is an address (and not a name), and a public one.
std::optional<bool> is_public_literal(const std::string& host) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1)
    return is_public_address(reinterpret_cast<const sockaddr*>(&four));
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  const std::string without_zone = host.substr(0, host.find('%'));
  if (::inet_pton(AF_INET6, without_zone.c_str(), &six.sin6_addr) == 1)
    return is_public_address(reinterpret_cast<const sockaddr*>(&six));
  return std::nullopt;
}

/// Names of the user's own network, for a proxy resolves names itself.
bool is_local_name(const std::string& host) {
  const auto ends = [&](std::string_view end) { return host.ends_with(end); };
  return host.find('.') == std::string::npos || ends(".localhost") || ends(".local") || ends(".internal") ||
         ends(".lan") || ends(".home.arpa");
}

/// Whether it is the address of a proxy that the environment names: then it says nothing of where the answer
/// comes from.
bool is_of_proxy(const sockaddr* address, socklen_t size) {
  for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string text = value;
    const auto proxy = parse_address(text.find("://") == std::string::npos ? "http://" + text : text);
    addrinfo* found = nullptr;
    const addrinfo wanted{.ai_family = address->sa_family, .ai_socktype = SOCK_STREAM};
    if (::getaddrinfo(proxy.host.c_str(), proxy.port.empty() ? "1080" : proxy.port.c_str(), &wanted, &found) != 0)
      continue;
    bool same = false;
    for (const addrinfo* at = found; at != nullptr && !same; at = at->ai_next)
      same = at->ai_addrlen == size && std::memcmp(at->ai_addr, address, size) == 0;
    ::freeaddrinfo(found);
    if (same) return true;
  }
  return false;
}

}  // namespace

bool is_public_address(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, address, sizeof four);
    return is_public4(ntohl(four.sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, address, sizeof six);
    return is_public6(std::span<const std::uint8_t, 16>(six.sin6_addr.s6_addr));
  }
  return false;
}

void AddressGuard::install(CURL* curl) {
  curl_ = curl;
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, &AddressGuard::on_open);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, this);
  // A connection that is there already would not be asked for again, and to a proxy one serves all hosts.
  curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
}

bool AddressGuard::is_allowed(const std::string& host, const std::string& port) const {
  return std::ranges::any_of(allowed_, [&](const std::string& entry) {
    return entry == host || entry == host + ":" + port || entry == "[" + host + "]:" + port;
  });
}

bool AddressGuard::permits(const sockaddr* address, socklen_t size) {
  const char* url = nullptr;
  curl_easy_getinfo(curl_, CURLINFO_EFFECTIVE_URL, &url);
  const Address target = parse_address(url == nullptr ? "" : url);
  refused_ = target.host;
  if (is_allowed(target.host, target.port)) return refused_.clear(), true;
  const auto literal = is_public_literal(target.host);
  if (literal && !*literal) return false;
  const bool good = is_of_proxy(address, size) ? literal || !is_local_name(target.host) : is_public_address(address);
  if (good) refused_.clear();
  return good;
}

curl_socket_t AddressGuard::on_open(void* self, curlsocktype, curl_sockaddr* address) {
  try {
    if (!static_cast<AddressGuard*>(self)->permits(&address->addr, address->addrlen)) return CURL_SOCKET_BAD;
  } catch (const std::exception&) {
    // No exception may pass through libcurl's C frames, and what cannot be judged is not permitted.
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace kindling::detail
