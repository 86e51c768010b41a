#include <kindling/core/listener.hpp>

#include "core/listener_streams.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace kindling {

std::shared_ptr<Listener> silent_listener() {
  return std::make_shared<Listener>();
}

std::shared_ptr<Listener> terminal_listener() {
  return detail::terminal_listener_on(detail::standard_streams());
}

std::shared_ptr<Listener> json_listener() {
  return detail::json_listener_on(detail::standard_streams());
}

std::string format_duration(double seconds) {
  // Also keeps not-a-number out: every comparison with it is false.
  const double kept = seconds > 0 ? std::min(seconds, 1e12) : 0;
  const auto whole = static_cast<std::int64_t>(kept);
  const auto hours = whole / 3600;
  const auto minutes = whole / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
  return fmt::format("{:02}:{:02}", minutes, whole % 60);
}

}  // namespace kindling
