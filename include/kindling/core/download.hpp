#pragma once
/// Downloads of large files that survive a bad line: resumed, retried, checked, and never left half-written.

#include <kindling/core/files.hpp>
#include <kindling/core/listener.hpp>

#include <chrono>
#include <string>

namespace kindling {

struct DownloadOptions {
  std::string sha256;                                ///< expected digest; empty: not checked
  std::string md5_start = "";                        ///< expected MD5 of the first MiB; empty: not checked
  std::uint64_t bytes = 0;                           ///< expected size; 0: not checked
  std::uint64_t max_bytes = std::uint64_t{8} << 30;  ///< longer answers are refused
  int retries = 4;                                   ///< further attempts after the first failed
  std::chrono::milliseconds backoff{500};  ///< before the first retry; doubles each time, give or take a quarter
  std::chrono::seconds connect_timeout{20};
  std::chrono::seconds stall_timeout{30};  ///< without a byte for this long: an attempt has failed
  std::shared_ptr<Listener> listener = silent_listener();
};

/// Fetches `url` (http, https or file) to `target`, whose folder is made where needed. What an interrupted
/// attempt brought stays beside it as `<target>.part` and the next call goes on from there. `KINDLING_MIRROR`
/// (a folder, which must exist, or an address) is asked first for the file's name; `KINDLING_OFFLINE=1` forbids
/// everything but a mirror folder and file URLs. A requested interrupt (interrupt.hpp) ends it within a second.
/// Throws `usage` (no address), `not_found` (a file URL, or the mirror's folder), `offline`, `network`,
/// `checksum`, `limit`, `io`, `no_space` or `interrupted`.
void download(const std::string& url, const fs::path& target, const DownloadOptions& options = {});

/// True when KINDLING_OFFLINE is set to anything but "" and "0".
bool is_offline();

}  // namespace kindling
