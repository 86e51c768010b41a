#pragma once
/// Small answers of the web, whole in memory: of a programming interface, or one picture. (For large files see
/// download.hpp.)

#include <kindling/core/files.hpp>
#include <kindling/core/listener.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace kindling {

struct FetchOptions {
  std::uint64_t max_bytes = std::uint64_t{64} << 20;  ///< longer answers are refused, also compressed ones
  int retries = 3;                                    ///< further attempts after the first failed
  std::chrono::milliseconds backoff{500};  ///< before the first retry; doubles each time, give or take a quarter
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds stall_timeout{15'000};  ///< without a byte for this long: an attempt has failed
  std::chrono::milliseconds timeout{60'000};        ///< of an attempt in all
  /// false: addresses that are not public (loopback, private, link-local …) are refused, whatever name or
  /// redirect leads there. For addresses that others chose.
  bool allow_private = true;
  /// Hosts that may lie anywhere all the same: "nas.local", "127.0.0.1:8080".
  std::vector<std::string> allow_hosts = {};
  std::string user_agent = "";  ///< empty: kindling and its version
  std::shared_ptr<Listener> listener = silent_listener();
};

/// Gets `url` (http or https, at most 8 redirects). A server that is busy (429, 503) is asked again after the time
/// that it states, up to a minute. Throws `usage` (no address), `unsupported` (another scheme, an address that is
/// not public), `offline`, `network`, `limit` or `interrupted`.
Bytes fetch(const std::string& url, const FetchOptions& options = {});

/// Text as it stands in a query: `fetch(base + "?q=" + url_escaped("grizzly bear"))`.
std::string url_escaped(const std::string& text);

}  // namespace kindling
