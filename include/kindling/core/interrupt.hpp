#pragma once
/// Ctrl-C as a wish that long work looks at: training stops at the next batch, with everything so far kept.

namespace kindling {

/// From now on SIGINT and SIGTERM set the flag; a second one ends the process at once. For programs, not for
/// libraries.
void install_interrupt_handler();
/// Sets the flag, as Ctrl-C does.
void request_interrupt() noexcept;
bool interrupt_requested() noexcept;
void clear_interrupt() noexcept;

}  // namespace kindling
