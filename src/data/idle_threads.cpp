#include "data/idle_threads.hpp"

#include <chrono>
#include <thread>

#include <ATen/Parallel.h>

namespace kindling::detail {

void let_idle_compute_threads_sleep() {
  // GNU OpenMP reads how long to spin from the environment before main, and has no call to change it. It
  // spins a three-hundredth of that time once its teams have more threads than there are cores, and a team
  // lives as long as the thread that began it: so one thread begins a team and goes to sleep.
  [[maybe_unused]] static const bool once = [] {
    std::thread([] {
      at::parallel_for(0, at::get_num_threads(), 1, [](std::int64_t, std::int64_t) {});
      while (true) std::this_thread::sleep_for(std::chrono::hours(24));
    }).detach();
    return true;
  }();
}

}  // namespace kindling::detail
