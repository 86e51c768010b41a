#include "data/idle_threads.hpp"

#include <chrono>
#include <thread>

#include <ATen/Parallel.h>
#include <torch/types.h>

namespace kindling::detail {

void let_idle_compute_threads_sleep() {
  // GNU OpenMP reads how long to spin from the environment before main, and has no call to change it. It
  // spins a three-hundredth of that time once its teams have more threads than there are cores, and a team
  // lives as long as the thread that began it: so one thread begins a team and goes to sleep. On two busy
  // cores an epoch of Lite0 (96 photos, 192 pixels) so takes 12 s of CPU time instead of 21 to 27.
  [[maybe_unused]] static const bool once = [] {
    std::thread([] {
      constexpr std::int64_t enough_for_all = 1 << 16;  // numbers a thread
      torch::zeros({enough_for_all * at::get_num_threads()}).add_(1);
      while (true) std::this_thread::sleep_for(std::chrono::hours(24));
    }).detach();
    return true;
  }();
}

}  // namespace kindling::detail
