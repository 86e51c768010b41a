#include "core/http_transfer.hpp"

#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>

#include "core/curl_support.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <exception>
#include <memory>

#include <curl/curl.h>
#include <fmt/format.h>

namespace kindling::detail {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t longest_header = 1024;

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

/// Fit to be sent in a header as it is.
bool is_header_text(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20 && c < 0x7F; });
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

/// `bytes 100-199/200` or `bytes */200`; absent parts stay empty.
struct ContentRange {
  std::optional<std::uint64_t> first;
  std::optional<std::uint64_t> total;
};

ContentRange parse_content_range(std::string_view text) {
  ContentRange range;
  const auto slash = text.find('/');
  if (!text.starts_with("bytes ") || slash == std::string_view::npos) return range;
  range.total = number_in(text.substr(slash + 1));
  const auto span = text.substr(6, slash - 6);
  range.first = number_in(span.substr(0, span.find('-')));
  return range;
}

/// The headers of the answer at hand; each new answer (after a redirect) starts afresh.
struct Answer {
  std::string etag;
  std::string last_modified;
  ContentRange range;

  void take(std::string_view line) {
    if (line.starts_with("HTTP/")) *this = {};
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || line.size() > longest_header) return;
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const std::string value = trimmed(line.substr(colon + 1));
    if (name == "etag" && !value.starts_with("W/")) etag = value;
    if (name == "last-modified") last_modified = value;
    if (name == "content-range") range = parse_content_range(value);
  }
};

class Transfer {
 public:
  Transfer(const std::string& url, PartialFile& part, const DownloadOptions& options, Clock::time_point began)
      : url_(url), part_(part), options_(options), began_(began), curl_(curl_easy_init()) {
    if (!curl_) throw Error(ErrorCode::internal, "libcurl gives no handle");
  }

  Attempt run() {
    prepare_resume();
    set_options();
    started_ = last_byte_ = Clock::now();
    const CURLcode code = curl_easy_perform(curl_.get());
    if (error_) std::rethrow_exception(error_);
    if (interrupt_requested()) throw interrupted_error(url_);
    if (verdict_) return *verdict_;
    return judge(code);
  }

 private:
  /// A part is worth keeping when the whole can be checked in the end, or the server can tell that it is
  /// still the same file.
  void prepare_resume() {
    const std::string& validator = part_.origin().validator();
    const bool same_file = part_.origin().url == url_ && is_header_text(validator);
    const bool fits =
        part_.size() <= options_.max_bytes && (options_.bytes == 0 || part_.size() <= options_.bytes);
    const bool resumes = part_.size() > 0 && fits && (same_file || !options_.sha256.empty());
    if (!resumes) {
      part_.discard();
      return;
    }
    offset_ = part_.size();
    if (same_file) {
      headers_.reset(curl_slist_append(nullptr, fmt::format("If-Range: {}", validator).c_str()));
    }
  }

  void set_options() {
    CURL* curl = curl_.get();
    set_careful_options(curl, url_, options_.connect_timeout);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, curl_message_);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &Transfer::on_tick);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
    if (headers_) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers_.get());
    // Not CURLOPT_RESUME_FROM: that fails where a server ignores the range, and here the answer is then taken
    // whole.
    if (offset_ > 0) curl_easy_setopt(curl, CURLOPT_RANGE, fmt::format("{}-", offset_).c_str());
  }

  long status() const { return status_of(curl_.get()); }

  std::optional<std::uint64_t> announced_length() const {
    curl_off_t length = -1;
    curl_easy_getinfo(curl_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    return length < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(length));
  }

  /// Called once, before the first byte of the body is kept. False: the answer is not the file, `verdict_`
  /// says why.
  bool begin_body() {
    begun_ = true;
    const long code = status();
    if (code != 200 && code != 206) return false;
    const auto length = announced_length();
    total_ = length;
    if (code == 206) {
      const bool continues = offset_ > 0 && answer_.range.first == offset_;
      if (!continues) {
        part_.discard();
        verdict_ = broken("the server sends another part of the file than it was asked for");
        return false;
      }
      total_ = answer_.range.total;
    } else {
      part_.restart({url_, answer_.etag, answer_.last_modified});
    }
    return check_announcement(length.value_or(0));
  }

  bool check_announcement(std::uint64_t to_come) {
    if (total_ && *total_ > options_.max_bytes) refuse_length(*total_);
    if (total_ && options_.bytes != 0 && *total_ != options_.bytes) {
      verdict_ =
          Attempt{.outcome = Outcome::wrong_bytes,
                  .mismatch = {fmt::format("{} bytes", options_.bytes), fmt::format("{} bytes", *total_)}};
      return false;
    }
    std::error_code unknown;
    const auto space = fs::space(part_.path(), unknown);
    if (!unknown && to_come > space.available) {
      throw Error(ErrorCode::no_space, "the file does not fit on the disk",
                  {{"path", part_.target()},
                   {"needed", human_bytes(to_come)},
                   {"free", human_bytes(space.available)}},
                  "free some space, or set KINDLING_HOME to a folder on another disk");
    }
    return true;
  }

  [[noreturn]] void refuse_length(std::uint64_t bytes) {
    part_.discard();
    throw Error(ErrorCode::limit, "the file is larger than allowed",
                {{"url", url_}, {"bytes", bytes}, {"allowed", options_.max_bytes}},
                "check the address: it may lead to another file");
  }

  bool keep(const char* data, std::size_t size) {
    if (!begun_ && !begin_body()) return false;
    if (verdict_ || (status() != 200 && status() != 206)) return false;
    if (size > options_.max_bytes - std::min(part_.size(), options_.max_bytes))
      refuse_length(part_.size() + size);
    append(data, size);
    received_ += size;
    last_byte_ = Clock::now();
    tell();
    return true;
  }

  void append(const char* data, std::size_t size) {
    try {
      part_.append(data, size);
    } catch (const Error& error) {
      // The machine needs the room more than the next attempt needs the part.
      if (error.code() == ErrorCode::no_space) part_.discard();
      throw;
    }
  }

  void tell() {
    const std::chrono::duration<double> elapsed = last_byte_ - began_;
    const std::chrono::duration<double> attempt = last_byte_ - started_;
    const double rate = attempt.count() > 0 ? static_cast<double>(received_) / attempt.count() : 0;
    const std::uint64_t total = total_.value_or(options_.bytes);
    options_.listener->progress({.what = part_.target().filename().string(),
                                 .done = static_cast<std::int64_t>(part_.size()),
                                 .total = static_cast<std::int64_t>(total),
                                 .unit = "B",
                                 .note = fmt::format("{}/s", human_bytes(static_cast<std::uint64_t>(rate))),
                                 .elapsed_s = elapsed.count()});
  }

  Attempt judge(CURLcode code) {
    const long answered = status();
    const bool is_body = answered == 200 || answered == 206;
    if (answered >= 300 && (code == CURLE_OK || code == CURLE_WRITE_ERROR)) return judge_answer(answered);
    switch (code) {
      case CURLE_OK:
        // An empty body never reached `keep`.
        if (is_body && !begun_ && !begin_body()) return *verdict_;
        if (!is_body)
          return refused(fmt::format("the server answers HTTP {}", answered), "check the address");
        if (total_ && part_.size() < *total_) return broken("the server sent less than the whole file");
        return {};
      case CURLE_ABORTED_BY_CALLBACK:
        return broken(fmt::format("nothing arrived for {} s", options_.stall_timeout.count()));
      default:
        return judge_failure(code, curl_message_);
    }
  }

  Attempt judge_answer(long answered) {
    if (answered == 416) {
      // Nothing after the offset: either everything is here already, or the part belongs to another file.
      if (answer_.range.total == part_.size()) return {};
      part_.discard();
      return broken("the server has no bytes after those that are here");
    }
    return judge_status(curl_.get(), answered);
  }

  // An exception must not pass through libcurl's C frames: it waits in `error_` until `run` throws it on.
  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    try {
      return transfer.keep(data, size) ? size : 0;
    } catch (...) {
      transfer.error_ = std::current_exception();
      return 0;
    }
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    try {
      transfer.last_byte_ = Clock::now();
      transfer.answer_.take({data, size});
      return size;
    } catch (...) {
      transfer.error_ = std::current_exception();
      return 0;
    }
  }

  // libcurl's own low-speed check averages over several seconds and so comes late. Called at least once a
  // second.
  static int on_tick(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(self);
    const bool stalls = Clock::now() - transfer.last_byte_ >= transfer.options_.stall_timeout;
    return stalls || interrupt_requested() ? 1 : 0;
  }

  const std::string& url_;
  PartialFile& part_;
  const DownloadOptions& options_;
  const Clock::time_point began_;
  std::unique_ptr<curl_slist, CurlFree> headers_;
  char curl_message_[CURL_ERROR_SIZE] = {};
  // After what it refers to, so that it goes first.
  CurlHandle curl_;
  Clock::time_point started_;
  Clock::time_point last_byte_;
  std::uint64_t offset_ = 0;
  std::uint64_t received_ = 0;
  std::optional<std::uint64_t> total_;
  bool begun_ = false;
  Answer answer_;
  std::optional<Attempt> verdict_;
  std::exception_ptr error_;
};

}  // namespace

Error interrupted_error(const std::string& url) {
  return Error(ErrorCode::interrupted, "the download was stopped", {{"url", url}},
               "the same call goes on from where it stopped");
}

Address parse_address(const std::string& url) {
  start_curl();
  const std::unique_ptr<CURLU, CurlFree> handle(curl_url());
  const auto part = [&](CURLUPart what, unsigned flags) {
    char* text = nullptr;
    curl_url_get(handle.get(), what, &text, flags);
    const CurlText owned(text);
    return owned ? std::optional<std::string>(owned.get()) : std::nullopt;
  };
  if (handle && curl_url_set(handle.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK) {
    const auto scheme = part(CURLUPART_SCHEME, 0);
    const auto path = part(CURLUPART_PATH, CURLU_URLDECODE);
    std::string host = part(CURLUPART_HOST, 0).value_or("");
    std::ranges::transform(host, host.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (scheme && path) return {*scheme, host, part(CURLUPART_PORT, CURLU_DEFAULT_PORT).value_or(""), *path};
  }
  throw Error(ErrorCode::usage, "this is not an address", {{"url", url}}, "write it as https://host/path/file");
}

std::string escaped_step(const std::string& text) {
  start_curl();
  const CurlText escaped(curl_easy_escape(nullptr, text.c_str(), static_cast<int>(text.size())));
  if (!escaped) throw Error(ErrorCode::internal, "libcurl cannot escape a name");
  return escaped.get();
}

Attempt transfer(const std::string& url, PartialFile& part, const DownloadOptions& options,
                 Clock::time_point began) {
  start_curl();
  return Transfer(url, part, options, began).run();
}

}  // namespace kindling::detail
