#include <kindling/core/interrupt.hpp>

#include <atomic>
#include <csignal>

namespace kindling {

namespace {

std::atomic<bool> requested = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

void on_signal(int signal) {
  if (requested) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  requested = true;
}

}  // namespace

void install_interrupt_handler() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

void request_interrupt() noexcept {
  requested = true;
}
bool interrupt_requested() noexcept {
  return requested;
}
void clear_interrupt() noexcept {
  requested = false;
}

}  // namespace kindling
