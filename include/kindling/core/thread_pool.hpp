#pragma once
/// A fixed set of threads that run small tasks in the order they were given.

#include <cstddef>
#include <functional>
#include <memory>

namespace kindling {

class ThreadPool {
 public:
  /// `threads` 0 means one a core.
  explicit ThreadPool(int threads = 0);
  /// Tasks that have not begun are dropped; those that run are waited for.
  ~ThreadPool();
  int size() const;

  /// Queues a task. An exception that leaves it is a defect and is swallowed; use `for_each` where work can
  /// fail.
  void submit(std::function<void()> task);

  /// Runs `work(i)` for i in [0, n) on the pool and waits. The first exception (lowest i) is thrown here,
  /// after all running tasks have ended; tasks not yet begun are then left out.
  void for_each(std::size_t n, const std::function<void(std::size_t)>& work);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Cores this process may use (affinity and cgroup limits respected where known), at least 1.
int hardware_threads();

}  // namespace kindling
