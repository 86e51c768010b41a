#include "core/patience.hpp"

#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>

#include "core/http_transfer.hpp"

#include <algorithm>
#include <random>
#include <thread>

#include <fmt/format.h>

namespace kindling::detail {

namespace {

constexpr std::chrono::milliseconds longest_backoff{30'000};
constexpr std::chrono::seconds longest_wait_asked{60};
// An attempt that brought this much further was not in vain, however often the line breaks.
constexpr std::uint64_t worthwhile_bytes = std::uint64_t{1} << 20;

/// So that clients which failed together do not come back together.
double jitter() {
  static thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.75, 1.25)(generator);
}

}  // namespace

void Patience::wait_or_throw(const Attempt& attempt, std::uint64_t bytes_here) {
  if (bytes_here >= most_bytes_ + worthwhile_bytes) failures_ = 0;
  most_bytes_ = std::max(most_bytes_, bytes_here);
  if (++failures_ > std::max(rule_.retries, 0)) {
    throw Error(ErrorCode::network, "the download failed: " + attempt.reason,
                {{"url", url_}, {"attempts", failures_}},
                bytes_here > 0 ? "check the network connection and try again: it goes on from where it stopped"
                               : "check the address and the network connection, and try again");
  }
  if (attempt.wait > longest_wait_asked) {
    throw Error(ErrorCode::network, "the download failed: " + attempt.reason,
                {{"url", url_}, {"wait_s", attempt.wait.count()}},
                fmt::format("the server asks to try again in {}",
                            format_duration(static_cast<double>(attempt.wait.count()))));
  }
  const auto pause = std::max<std::chrono::milliseconds>(backoff(), attempt.wait);
  listener_.message(Level::warning, fmt::format("{}: {}; trying again in {:.1f} s", url_, attempt.reason,
                                                std::chrono::duration<double>(pause).count()));
  sleep(pause);
}

/// In slices, so that Ctrl-C need not wait for the end.
void Patience::sleep(std::chrono::milliseconds pause) const {
  constexpr std::chrono::milliseconds slice{100};
  for (; pause > pause.zero(); pause -= slice) {
    if (interrupt_requested()) throw interrupted_error(url_);
    std::this_thread::sleep_for(std::min(pause, slice));
  }
}

std::chrono::milliseconds Patience::backoff() const {
  auto pause = std::clamp(rule_.backoff, std::chrono::milliseconds{0}, longest_backoff);
  for (int i = 1; i < failures_ && pause < longest_backoff; ++i) pause *= 2;
  pause = std::min(pause, longest_backoff);
  return std::chrono::milliseconds(static_cast<std::int64_t>(static_cast<double>(pause.count()) * jitter()));
}

}  // namespace kindling::detail
