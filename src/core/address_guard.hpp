#pragma once
/// Keeps addresses out of foreign hands' reach: what a page or a search result names must not lead into the
/// user's own machine or network.

#include <string>
#include <vector>

#include <curl/curl.h>
#include <sys/socket.h>

namespace kindling::detail {

/// Whether an address lies in the public internet: not loopback, private, link-local, shared, multicast,
/// documentation or otherwise reserved (IANA's special-purpose registries); an IPv4 address inside of an IPv6
/// one counts as itself.
bool is_public_address(const sockaddr* address);

/// Looks at each address that libcurl is about to connect to, so after names were resolved and redirects
/// followed.
class AddressGuard {
 public:
  /// `allowed`: hosts ("nas.local") or hosts with a port ("127.0.0.1:8080") that may lie anywhere.
  explicit AddressGuard(std::vector<std::string> allowed) : allowed_(std::move(allowed)) {}
  AddressGuard(const AddressGuard&) = delete;
  AddressGuard& operator=(const AddressGuard&) = delete;

  /// From now on `curl` asks this guard, which must outlive the transfer.
  void install(CURL* curl);
  /// The host that was refused, or an empty string.
  const std::string& refused() const { return refused_; }

 private:
  bool permits(const sockaddr* address, socklen_t size);
  bool is_allowed(const std::string& host, const std::string& port) const;
  static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address);

  std::vector<std::string> allowed_;
  CURL* curl_ = nullptr;
  std::string refused_;
};

}  // namespace kindling::detail
