#pragma once
/// Peace between the threads that load and those that compute.

namespace kindling::detail {

/// Lets torch's compute threads sleep soon after a piece of work instead of spinning for milliseconds. While
/// a loader's workers need the same cores, threads that spin hold them up, and the work that they wait for
/// with them. For the life of the process; further calls do nothing.
void let_idle_compute_threads_sleep();

}  // namespace kindling::detail
