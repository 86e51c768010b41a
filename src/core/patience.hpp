#pragma once
/// How often and after which pauses a broken transfer is tried again.

#include <kindling/core/listener.hpp>

#include "core/attempt.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace kindling::detail {

struct RetryRule {
  int retries = 4;  ///< further attempts after the first failed
  std::chrono::milliseconds backoff{500};  ///< before the first retry; doubles each time, give or take a quarter
};

/// Decides after a broken attempt how long to wait for the next, or that there is none.
class Patience {
 public:
  /// Both references must outlive it.
  Patience(const std::string& url, RetryRule rule, Listener& listener)
      : url_(url), rule_(rule), listener_(listener) {}

  /// `bytes_here`: what all attempts so far brought and the next one builds on. Throws `network` when the
  /// patience is at its end or the server asks for more than a minute, and `interrupted`.
  void wait_or_throw(const Attempt& attempt, std::uint64_t bytes_here);

 private:
  void sleep(std::chrono::milliseconds pause) const;
  std::chrono::milliseconds backoff() const;

  const std::string& url_;
  RetryRule rule_;
  Listener& listener_;
  int failures_ = 0;
  std::uint64_t most_bytes_ = 0;
};

}  // namespace kindling::detail
