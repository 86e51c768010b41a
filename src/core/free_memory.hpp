#pragma once
/// Memory that was freed and is still held.

namespace kindling::detail {

/// Gives it back to the system. The allocator keeps what was freed for what comes next: after work on many small pieces that is
/// as much again as what they became.
void return_free_memory();

/// Keeps up to 1 GB of it from now on. Where each step takes and frees some hundred MB in pieces of a few, giving them back and
/// getting them anew costs more than the step: a third of the time of TabM's training.
void keep_freed_memory();

}  // namespace kindling::detail
