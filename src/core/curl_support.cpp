#include "core/curl_support.hpp"

#include <kindling/core/error.hpp>

#include "core/printable.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace kindling::detail {

namespace {

std::string text_of(CURLcode code, const char* message) {
  const std::string_view detailed(message);
  return printable(detailed.empty() ? curl_easy_strerror(code) : detailed, LineBreaks::escape);
}

}  // namespace

void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) throw Error(ErrorCode::internal, "libcurl does not start");
}

void set_careful_options(CURL* curl, const std::string& url, std::chrono::milliseconds connect_timeout,
                         const std::string& user_agent) {
  // Wikimedia and others ask programs to name themselves and their version.
  static const std::string own_agent = fmt::format("kindling/{} (libcurl)", KINDLING_VERSION);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, max_redirects);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, user_agent.empty() ? own_agent.c_str() : user_agent.c_str());
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_timeout.count()));
}

Attempt broken(std::string reason) {
  return {.outcome = Outcome::broken, .reason = std::move(reason)};
}

Attempt refused(std::string reason, std::string hint) {
  return {.outcome = Outcome::refused, .reason = std::move(reason), .hint = std::move(hint)};
}

Attempt judge_status(CURL* curl, long status) {
  if (status == 404 || status == 410) {
    return refused(fmt::format("the server has no such file (HTTP {})", status),
                   "check the address; the file may have moved");
  }
  if (status == 401 || status == 403) {
    return refused(fmt::format("the server refuses to give the file (HTTP {})", status),
                   "the address may need an account, or the server may block this network");
  }
  const bool passes = status >= 500 || status == 429 || status == 408;
  if (!passes) return refused(fmt::format("the server answers HTTP {}", status), "check the address");
  Attempt attempt = broken(fmt::format("the server answers HTTP {}", status));
  curl_off_t seconds = 0;
  curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
  attempt.wait = std::chrono::seconds(std::max<curl_off_t>(seconds, 0));
  return attempt;
}

Attempt judge_failure(CURLcode code, const char* message) {
  const std::string text = text_of(code, message);
  switch (code) {
    case CURLE_TOO_MANY_REDIRECTS:
      return refused(fmt::format("the server redirects more than {} times", max_redirects),
                     "check the address");
    case CURLE_UNSUPPORTED_PROTOCOL:
      return refused(text, "the address, or one that it redirects to, is not of http or https");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return refused(fmt::format("the server's certificate is not trusted: {}", text),
                     "install the ca-certificates package, or ask who runs the network whether it replaces "
                     "certificates");
    case CURLE_URL_MALFORMAT:
      return refused("this is not a valid address", "check the address");
    default:
      return broken(text);
  }
}

long status_of(CURL* curl) {
  long value = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &value);
  return value;
}

}  // namespace kindling::detail
