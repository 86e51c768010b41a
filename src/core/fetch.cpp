#include <kindling/core/download.hpp>
#include <kindling/core/error.hpp>
#include <kindling/core/fetch.hpp>
#include <kindling/core/interrupt.hpp>

#include "core/address_guard.hpp"
#include "core/curl_support.hpp"
#include "core/http_transfer.hpp"
#include "core/patience.hpp"

#include <algorithm>
#include <exception>

#include <fmt/format.h>

namespace kindling {

namespace {

using Clock = std::chrono::steady_clock;
using detail::Attempt;
using detail::Outcome;

/// One attempt.
class Fetch {
 public:
  Fetch(const std::string& url, const FetchOptions& options)
      : url_(url), options_(options), guard_(options.allow_hosts), curl_(curl_easy_init()) {
    if (!curl_) throw Error(ErrorCode::internal, "libcurl gives no handle");
  }

  Attempt run() {
    set_options();
    last_byte_ = Clock::now();
    const CURLcode code = curl_easy_perform(curl_.get());
    if (error_) std::rethrow_exception(error_);
    if (interrupt_requested()) throw detail::interrupted_error(url_);
    const long status = detail::status_of(curl_.get());
    const bool answered = status >= 200 && (code == CURLE_OK || code == CURLE_WRITE_ERROR);
    if (answered && (status < 200 || status > 299)) return detail::judge_status(curl_.get(), status);
    return judge(code);
  }

  Bytes take_body() { return std::move(body_); }

 private:
  void set_options() {
    CURL* curl = curl_.get();
    detail::set_careful_options(curl, url_, options_.connect_timeout, options_.user_agent);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
    // All encodings that this libcurl knows; what arrives below is unpacked, and so is what the limit counts.
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, curl_message_);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Fetch::on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &Fetch::on_tick);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
    if (!options_.allow_private) guard_.install(curl);
  }

  Attempt judge(CURLcode code) {
    if (code == CURLE_OK) return {};
    if (!guard_.refused().empty() && code == CURLE_COULDNT_CONNECT) {
      throw Error(ErrorCode::unsupported, "the address leads into a private network or this machine",
                  {{"url", url_}, {"host", guard_.refused()}},
                  "if you trust it, allow private addresses: allow_private, --allow-private");
    }
    if (code == CURLE_UNSUPPORTED_PROTOCOL) {
      throw Error(ErrorCode::unsupported, "the address, or one that it redirects to, is not of http or https",
                  {{"url", url_}});
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) {
      return detail::broken(fmt::format("nothing arrived for {:.1f} s",
                                        std::chrono::duration<double>(options_.stall_timeout).count()));
    }
    return detail::judge_failure(code, curl_message_);
  }

  void keep(const char* data, std::size_t size) {
    curl_off_t announced = -1;
    curl_easy_getinfo(curl_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    const auto stated = static_cast<std::uint64_t>(std::max<curl_off_t>(announced, 0));
    const std::uint64_t bytes = std::max<std::uint64_t>(stated, body_.size() + size);
    if (bytes > options_.max_bytes) {
      throw Error(ErrorCode::limit, "the file is larger than allowed",
                  {{"url", url_}, {"bytes", bytes}, {"allowed", options_.max_bytes}});
    }
    body_.insert(body_.end(), data, data + size);
  }

  // An exception must not pass through libcurl's C frames: it waits in `error_` until `run` throws it on.
  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    auto& fetch = *static_cast<Fetch*>(self);
    fetch.last_byte_ = Clock::now();
    const long status = detail::status_of(fetch.curl_.get());
    // The page of an error tells nothing that its status does not.
    if (status < 200 || status > 299) return 0;
    try {
      fetch.keep(data, size);
      return size;
    } catch (...) {
      fetch.error_ = std::current_exception();
      return 0;
    }
  }

  static int on_tick(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    const auto& fetch = *static_cast<Fetch*>(self);
    const bool stalls = Clock::now() - fetch.last_byte_ >= fetch.options_.stall_timeout;
    return stalls || interrupt_requested() ? 1 : 0;
  }

  const std::string& url_;
  const FetchOptions& options_;
  detail::AddressGuard guard_;
  char curl_message_[CURL_ERROR_SIZE] = {};
  // After what it refers to, so that it goes first.
  detail::CurlHandle curl_;
  Clock::time_point last_byte_;
  Bytes body_;
  std::exception_ptr error_;
};

void check_address(const std::string& url) {
  const auto address = detail::parse_address(url);
  if (address.scheme != "http" && address.scheme != "https") {
    throw Error(ErrorCode::unsupported, "only addresses of http and https are fetched",
                {{"url", url}, {"scheme", address.scheme}});
  }
  if (!is_offline()) return;
  throw Error(ErrorCode::offline, "the network is needed, and KINDLING_OFFLINE forbids it", {{"url", url}},
              "unset KINDLING_OFFLINE");
}

}  // namespace

Bytes fetch(const std::string& url, const FetchOptions& options) {
  detail::start_curl();
  check_address(url);
  detail::Patience patience(url, {options.retries, options.backoff}, *options.listener);
  for (;;) {
    if (interrupt_requested()) throw detail::interrupted_error(url);
    Fetch attempt(url, options);
    const Attempt result = attempt.run();
    if (result.outcome == Outcome::complete) return attempt.take_body();
    if (result.outcome == Outcome::refused)
      throw Error(ErrorCode::network, "the download failed: " + result.reason, {{"url", url}}, result.hint);
    // Nothing of a broken attempt is kept.
    patience.wait_or_throw(result, 0);
  }
}

std::string url_escaped(const std::string& text) {
  return detail::escaped_step(text);
}

}  // namespace kindling
