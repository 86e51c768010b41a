#pragma once
/// One attempt to bring a partial file to its end over HTTP.

#include <kindling/core/download.hpp>
#include <kindling/core/error.hpp>

#include "core/partial_file.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace kindling::detail {

/// What is wrong with the bytes that came.
struct Mismatch {
  std::string expected;
  std::string got;
};

enum class Outcome {
  complete,     ///< everything the server has is in the file
  wrong_bytes,  ///< the server announces another file
  broken,       ///< worth another attempt
  refused,      ///< the server's last word
};

struct Attempt {
  Outcome outcome = Outcome::complete;
  std::string reason;  ///< for a person, of `broken` and `refused`
  std::string hint;
  std::chrono::seconds wait{0};  ///< that the server asks for before the next attempt
  Mismatch mismatch{};           ///< of `wrong_bytes`
};

/// Parts of an address, decoded.
struct Address {
  std::string scheme;
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
