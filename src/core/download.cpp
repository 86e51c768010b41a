#include <kindling/core/download.hpp>
#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>

#include "core/http_transfer.hpp"
#include "core/md5.hpp"
#include "core/mirror.hpp"
#include "core/partial_file.hpp"
#include "core/patience.hpp"
#include "core/sha256.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>

#include <fmt/format.h>

namespace kindling {

namespace {

using Clock = std::chrono::steady_clock;
using detail::Attempt;
using detail::Mismatch;
using detail::Outcome;
using detail::PartialFile;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool is_web(const std::string& scheme) {
  return scheme == "http" || scheme == "https";
}

/// What the options say of the right bytes, and what came.
struct Digests {
  std::string sha256;
  std::string md5_start;
};

std::optional<Mismatch> compare(const Digests& got, std::uint64_t bytes, const DownloadOptions& options) {
  if (options.bytes != 0 && bytes != options.bytes) {
    return Mismatch{fmt::format("{} bytes", options.bytes), fmt::format("{} bytes", bytes)};
  }
  std::string expected = options.sha256;
  std::ranges::transform(expected, expected.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!expected.empty() && got.sha256 != expected) {
    return Mismatch{"sha256 " + expected, fmt::format("sha256 {} of {} bytes", got.sha256, bytes)};
  }
  if (!options.md5_start.empty() && got.md5_start != options.md5_start) {
    return Mismatch{"md5 of the first MiB " + options.md5_start,
                    fmt::format("{} of {} bytes", got.md5_start, bytes)};
  }
  return std::nullopt;
}

std::optional<Mismatch> compare_file(const fs::path& path, std::uint64_t bytes,
                                     const DownloadOptions& options) {
  return compare({options.sha256.empty() ? std::string() : sha256_of(path),
                  options.md5_start.empty() ? std::string() : detail::md5_of_start(path)},
                 bytes, options);
}

Error checksum_error(const std::string& source, const Mismatch& mismatch) {
  return Error(ErrorCode::checksum, "the file that arrived is not the expected one",
               {{"url", source}, {"expected", mismatch.expected}, {"got", mismatch.got}},
               "try again later, or from another network: the file has changed at its source or was altered "
               "on the way");
}

/// Copies a file of this machine, checking as it goes.
void copy_checked(const fs::path& source, const std::string& url, const fs::path& target,
                  const DownloadOptions& options) {
  const auto began = Clock::now();
  const auto file = detail::open_for_reading(source);
  const std::uint64_t total = detail::stated_size(file, source);
  std::error_code ignored;
  fs::create_directories(target.parent_path(), ignored);
  AtomicFile out(target);
  detail::Sha256 digest;
  Bytes start;
  std::uint64_t done = 0;
  detail::read_blocks(file, source, [&](std::span<const std::uint8_t> block) {
    done += block.size();
    if (done > options.max_bytes) {
      throw Error(ErrorCode::limit, "the file is larger than allowed",
                  {{"url", url}, {"bytes", std::max(done, total)}, {"allowed", options.max_bytes}});
    }
    if (interrupt_requested()) throw detail::interrupted_error(url);
    digest.update(block);
    const std::size_t missing = std::min(block.size(), detail::md5_start_bytes - start.size());
    start.insert(start.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(missing));
    out.write(block.data(), block.size());
    const std::chrono::duration<double> elapsed = Clock::now() - began;
    options.listener->progress({.what = target.filename().string(),
                                .done = static_cast<std::int64_t>(done),
                                .total = static_cast<std::int64_t>(total),
                                .unit = "B",
                                .elapsed_s = elapsed.count()});
  });
  if (const auto mismatch = compare({digest.hex(), detail::md5_of(start)}, done, options))
    throw checksum_error(url, *mismatch);
  out.commit();
}

/// Ends the bar, whatever the end of the download.
class BarEnd {
 public:
  BarEnd(const fs::path& target, const DownloadOptions& options) : target_(target), options_(options) {}
  ~BarEnd() {
    try {
      options_.listener->progress({.what = target_.filename().string(), .unit = "B", .finished = true});
    } catch (...) {
      // A listener's failure must not hide the error that may be on its way.
    }
  }
  BarEnd(const BarEnd&) = delete;
  BarEnd& operator=(const BarEnd&) = delete;

 private:
  const fs::path& target_;
  const DownloadOptions& options_;
};

void fetch(const std::string& url, PartialFile& part, const DownloadOptions& options) {
  const auto began = Clock::now();
  detail::Patience patience(url, {options.retries, options.backoff}, *options.listener);
  bool was_wrong = false;
  for (;;) {
    Attempt attempt = detail::transfer(url, part, options, began);
    if (attempt.outcome == Outcome::complete) {
      const auto mismatch = compare_file(part.path(), part.size(), options);
      if (!mismatch) return part.finish();
      attempt.outcome = Outcome::wrong_bytes;
      attempt.mismatch = *mismatch;
    }
    if (attempt.outcome == Outcome::refused) {
      throw Error(ErrorCode::network, "the download failed: " + attempt.reason, {{"url", url}}, attempt.hint);
    }
    if (attempt.outcome == Outcome::broken) {
      patience.wait_or_throw(attempt, part.size());
      continue;
    }
    part.discard();
    if (was_wrong) throw checksum_error(url, attempt.mismatch);
    was_wrong = true;
    options.listener->message(Level::warning, url + ": wrong bytes arrived; fetching them once more");
  }
}

/// Where a file may be had, in the order of asking.
struct Source {
  std::string url;
  fs::path local;  ///< set for a file of this machine
  bool is_mirror = false;
};

std::optional<Source> mirror_source(const std::string& file_name) {
  if (file_name.empty() || file_name == "." || file_name == "..") return std::nullopt;
  const auto mirror = detail::mirror_from_environment();
  if (!mirror) return std::nullopt;
  return Source{.url = mirror->url_of(file_name),
                .local = mirror->folder.empty() ? fs::path() : mirror->folder / file_name,
                .is_mirror = true};
}

std::vector<Source> sources_of(const std::string& url) {
  const auto address = detail::parse_address(url);
  const bool is_local = address.scheme == "file";
  if (!is_local && !is_web(address.scheme)) {
    throw Error(ErrorCode::usage, "files are fetched by http, https and file only",
                {{"url", url}, {"scheme", address.scheme}},
                "download it by other means and give the file's path");
  }
  std::vector<Source> sources;
  if (is_local) return {{.url = url, .local = address.path}};
  if (auto mirror = mirror_source(fs::path(address.path).filename().string())) sources.push_back(*mirror);
  sources.push_back({.url = url, .local = {}});
  return sources;
}

Error offline_error(const std::string& url, const fs::path& target) {
  return Error(ErrorCode::offline, "the network is needed, and KINDLING_OFFLINE forbids it",
               {{"url", url}, {"path", target}},
               "unset KINDLING_OFFLINE, or set KINDLING_MIRROR to a folder that holds the file");
}

/// A failure after which the next source may still do.
bool is_worth_going_on(const Source& source, const Error& error) {
  const auto code = error.code();
  return source.is_mirror &&
         (code == ErrorCode::network || code == ErrorCode::checksum || code == ErrorCode::limit);
}

void fetch_web(const Source& source, const fs::path& target, DownloadOptions options) {
  // The mirror is a help: one that is down must not cost the whole patience.
  if (source.is_mirror) options.retries = std::min(options.retries, 1);
  PartialFile part(target, [&] {
    options.listener->message(Level::info,
                              fmt::format("waiting for another download of {}", target.filename().string()));
  });
  std::error_code missing;
  const auto bytes = fs::file_size(target, missing);
  if (part.waited() && !missing && !compare_file(target, bytes, options)) return;
  fetch(source.url, part, options);
}

/// False when the source does not have the file and the next is to be asked.
bool fetch_from(const Source& source, const fs::path& target, const DownloadOptions& options) {
  std::error_code ignored;
  if (!source.local.empty() && source.is_mirror && !fs::exists(source.local, ignored)) return false;
  const BarEnd bar_end(target, options);
  try {
    if (source.local.empty()) {
      fetch_web(source, target, options);
    } else {
      copy_checked(source.local, source.url, target, options);
    }
    return true;
  } catch (const Error& error) {
    if (!is_worth_going_on(source, error)) throw;
    options.listener->message(Level::warning, fmt::format("the mirror is left out: {}", error.what()));
    return false;
  }
}

}  // namespace

bool is_offline() {
  const std::string value = environment("KINDLING_OFFLINE");
  return !value.empty() && value != "0";
}

void download(const std::string& url, const fs::path& target, const DownloadOptions& options) {
  for (const auto& source : sources_of(url)) {
    const bool is_allowed = !source.local.empty() || !is_offline();
    if (is_allowed && fetch_from(source, target, options)) return;
  }
  throw offline_error(url, target);
}

}  // namespace kindling
