#include <kindling/core/download.hpp>
#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>

#include "core/http_transfer.hpp"
#include "core/partial_file.hpp"
#include "core/sha256.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <thread>

#include <fmt/format.h>

namespace kindling {

namespace {

using Clock = std::chrono::steady_clock;
using detail::Attempt;
using detail::Mismatch;
using detail::Outcome;
using detail::PartialFile;

constexpr std::chrono::milliseconds longest_backoff{30'000};
constexpr std::chrono::seconds longest_wait_asked{60};
// An attempt that brought this much further was not in vain, however often the line breaks.
constexpr std::uint64_t worthwhile_bytes = std::uint64_t{1} << 20;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool is_web(const std::string& scheme) {
  return scheme == "http" || scheme == "https";
}

std::optional<Mismatch> compare(const std::string& sha256, std::uint64_t bytes,
                                const DownloadOptions& options) {
  if (options.bytes != 0 && bytes != options.bytes) {
    return Mismatch{fmt::format("{} bytes", options.bytes), fmt::format("{} bytes", bytes)};
  }
  std::string expected = options.sha256;
  std::ranges::transform(expected, expected.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!expected.empty() && sha256 != expected) {
    return Mismatch{"sha256 " + expected, fmt::format("sha256 {} of {} bytes", sha256, bytes)};
  }
  return std::nullopt;
}

std::optional<Mismatch> compare_file(const fs::path& path, std::uint64_t bytes,
                                     const DownloadOptions& options) {
  return compare(options.sha256.empty() ? std::string() : sha256_of(path), bytes, options);
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
  std::uint64_t done = 0;
  detail::read_blocks(file, source, [&](std::span<const std::uint8_t> block) {
    done += block.size();
    if (done > options.max_bytes) {
      throw Error(ErrorCode::limit, "the file is larger than allowed",
                  {{"url", url}, {"bytes", std::max(done, total)}, {"allowed", options.max_bytes}});
    }
    digest.update(block);
    out.write(block.data(), block.size());
    const std::chrono::duration<double> elapsed = Clock::now() - began;
    options.listener->progress({.what = target.filename().string(),
                                .done = static_cast<std::int64_t>(done),
                                .total = static_cast<std::int64_t>(total),
                                .unit = "B",
                                .elapsed_s = elapsed.count()});
  });
  if (const auto mismatch = compare(digest.hex(), done, options)) throw checksum_error(url, *mismatch);
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

/// Decides after a broken attempt how long to wait for the next, or that there is none.
class Patience {
 public:
  Patience(const std::string& url, const DownloadOptions& options) : url_(url), options_(options) {}

  void wait_or_throw(const Attempt& attempt, std::uint64_t bytes_here) {
    if (bytes_here >= most_bytes_ + worthwhile_bytes) failures_ = 0;
    most_bytes_ = std::max(most_bytes_, bytes_here);
    if (++failures_ > std::max(options_.retries, 0)) {
      throw Error(ErrorCode::network, "the download failed: " + attempt.reason,
                  {{"url", url_}, {"attempts", failures_}},
                  bytes_here > 0
                      ? "check the network connection and try again: it goes on from where it stopped"
                      : "check the address and the network connection, and try again");
    }
    if (attempt.wait > longest_wait_asked) {
      throw Error(ErrorCode::network, "the download failed: " + attempt.reason,
                  {{"url", url_}, {"wait_s", attempt.wait.count()}},
                  fmt::format("the server asks to try again in {}",
                              format_duration(static_cast<double>(attempt.wait.count()))));
    }
    const auto pause = std::max<std::chrono::milliseconds>(backoff(), attempt.wait);
    options_.listener->message(Level::warning,
                               fmt::format("{}: {}; trying again in {:.1f} s", url_, attempt.reason,
                                           std::chrono::duration<double>(pause).count()));
    sleep(pause);
  }

 private:
  /// In slices, so that Ctrl-C need not wait for the end.
  void sleep(std::chrono::milliseconds pause) const {
    constexpr std::chrono::milliseconds slice{100};
    for (; pause > pause.zero(); pause -= slice) {
      if (interrupt_requested()) throw detail::interrupted_error(url_);
      std::this_thread::sleep_for(std::min(pause, slice));
    }
  }

  std::chrono::milliseconds backoff() const {
    auto pause = std::clamp(options_.backoff, std::chrono::milliseconds{0}, longest_backoff);
    for (int i = 1; i < failures_ && pause < longest_backoff; ++i) pause *= 2;
    return std::min(pause, longest_backoff);
  }

  const std::string& url_;
  const DownloadOptions& options_;
  int failures_ = 0;
  std::uint64_t most_bytes_ = 0;
};

void fetch(const std::string& url, PartialFile& part, const DownloadOptions& options) {
  const auto began = Clock::now();
  Patience patience(url, options);
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
  const std::string mirror = environment("KINDLING_MIRROR");
  if (mirror.empty() || file_name.empty() || file_name == "." || file_name == "..") return std::nullopt;
  if (mirror.find("://") == std::string::npos) {
    return Source{.url = (fs::path(mirror) / file_name).string(),
                  .local = fs::path(mirror) / file_name,
                  .is_mirror = true};
  }
  const auto address = detail::parse_address(mirror);
  if (address.scheme == "file") {
    const fs::path local = fs::path(address.path) / file_name;
    return Source{.url = local.string(), .local = local, .is_mirror = true};
  }
  if (!is_web(address.scheme)) {
    throw Error(ErrorCode::usage, "KINDLING_MIRROR is neither a folder nor an http address",
                {{"got", mirror}});
  }
  const std::string_view separator = mirror.ends_with('/') ? "" : "/";
  return Source{.url = fmt::format("{}{}{}", mirror, separator, detail::escaped_step(file_name)),
                .local = {},
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
