#pragma once
/// One attempt to bring a partial file to its end over HTTP.

#include <kindling/core/download.hpp>
#include <kindling/core/error.hpp>

#include "core/attempt.hpp"
#include "core/partial_file.hpp"

#include <chrono>
#include <string>

namespace kindling::detail {

/// Parts of an address, decoded.
struct Address {
  std::string scheme;
  std::string host;  ///< lower case; a literal of IPv6 without its brackets
  std::string port;  ///< the scheme's own where none is given
  std::string path;
};

/// For a download that ends because an interrupt was requested.
Error interrupted_error(const std::string& url);

/// Throws `usage` for text that is no address.
Address parse_address(const std::string& url);

/// `text` as one step of an address's path.
std::string escaped_step(const std::string& text);

/// Asks for the rest where that is safe, else for the whole. `began` is when the download began, for the
/// progress. Throws what cannot be helped by another attempt: `limit`, `no_space`, `io`, `interrupted`.
Attempt transfer(const std::string& url, PartialFile& part, const DownloadOptions& options,
                 std::chrono::steady_clock::time_point began);

}  // namespace kindling::detail
