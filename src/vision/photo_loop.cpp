#include "vision/photo_loop.hpp"
#include "core/seconds_since.hpp"

#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/core/thread_pool.hpp>

#include <chrono>
#include <mutex>

namespace kindling::detail {

void for_each_photo(std::size_t n, int threads, Listener& listener, const std::string& what,
                    const std::function<void(std::size_t)>& work) {
  std::mutex mutex;
  std::int64_t done = 0;
  const auto start = std::chrono::steady_clock::now();
  const auto tell = [&](bool finished) {
    const double elapsed = detail::seconds_since(start);
    listener.progress({.what = what,
                       .done = done,
                       .total = static_cast<std::int64_t>(n),
                       .elapsed_s = elapsed,
                       .finished = finished});
  };
  ThreadPool(threads).for_each(n, [&](std::size_t i) {
    if (interrupt_requested()) throw Error(ErrorCode::interrupted, "checking the photos was stopped");
    work(i);
    const std::lock_guard lock(mutex);
    ++done;
    tell(false);
  });
  tell(true);
}

}  // namespace kindling::detail
