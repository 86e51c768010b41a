#pragma once
/// The listeners of <kindling/core/listener.hpp> on streams of the caller's choice.

#include <kindling/core/listener.hpp>

#include <chrono>
#include <cstdio>
#include <memory>

namespace kindling::detail {

/// Where a listener writes. The streams stay the caller's and must outlive it.
struct ListenerStreams {
  std::FILE* out = stdout;
  std::FILE* err = stderr;
  bool out_is_terminal = false;  ///< bars are drawn
  bool colour = false;           ///< on `err`
  std::size_t columns = 80;      ///< of the terminal
  std::chrono::milliseconds redraw_every{100};
};

/// Standard output and error as they are: bars only on a terminal that can erase a line, no colour under
/// NO_COLOR.
ListenerStreams standard_streams();

std::shared_ptr<Listener> terminal_listener_on(const ListenerStreams& streams);
std::shared_ptr<Listener> json_listener_on(const ListenerStreams& streams);

}  // namespace kindling::detail
