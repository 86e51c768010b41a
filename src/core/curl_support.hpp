#pragma once
/// What every use of libcurl here shares: its start, handles that free themselves, the settings of a careful
/// client, and what its failures mean.

#include "core/attempt.hpp"

#include <chrono>
#include <memory>
#include <string>

#include <curl/curl.h>

namespace kindling::detail {

inline constexpr long max_redirects = 8;

/// Once a process, before any other call of libcurl.
void start_curl();

struct CurlFree {
  void operator()(char* text) const { curl_free(text); }
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  void operator()(CURLU* address) const { curl_url_cleanup(address); }
};
using CurlText = std::unique_ptr<char, CurlFree>;
using CurlHandle = std::unique_ptr<CURL, CurlFree>;

/// http and https alone, also after redirects, of which there are at most `max_redirects`. An empty
/// `user_agent` stands for kindling's own.
void set_careful_options(CURL* curl, const std::string& url, std::chrono::milliseconds connect_timeout,
                         const std::string& user_agent = "");

Attempt broken(std::string reason);
Attempt refused(std::string reason, std::string hint);

/// Of an answer that is no success.
Attempt judge_status(CURL* curl, long status);
/// Of a failure of libcurl's own. `message` is its error buffer.
Attempt judge_failure(CURLcode code, const char* message);

long status_of(CURL* curl);

}  // namespace kindling::detail
