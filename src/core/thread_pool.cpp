#include <kindling/core/error.hpp>
#include <kindling/core/thread_pool.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <sched.h>

namespace kindling {

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> tasks;
  bool stopping = false;
  std::vector<std::thread> threads;

  void run();
  void stop();
};

namespace {

/// The pool whose worker this thread is.
thread_local const void* own_pool = nullptr;

/// One `for_each`: indices are claimed in order, so that when one fails all lower ones are done or running.
class Loop {
 public:
  Loop(std::size_t n, const std::function<void(std::size_t)>& work) : n_(n), work_(work) {}

  /// Runs indices until none is left. `work_` is touched only while an index is claimed, hence only while the
  /// caller of `for_each` waits and keeps it alive.
  void take_part() {
    std::unique_lock lock(mutex_);
    while (next_ < n_) {
      const std::size_t index = next_++;
      ++running_;
      lock.unlock();
      std::exception_ptr error;
      try {
        work_(index);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      --running_;
      if (error) note_error(index, error);
      if (next_ == n_ && running_ == 0) finished_.notify_all();
    }
  }

  void wait() {
    std::unique_lock lock(mutex_);
    finished_.wait(lock, [this] { return next_ == n_ && running_ == 0; });
    // Taken out of the shared state: a worker that still holds it must not be the one to destroy the
    // exception.
    if (const std::exception_ptr error = std::exchange(error_, nullptr)) std::rethrow_exception(error);
  }

 private:
  void note_error(std::size_t index, const std::exception_ptr& error) {
    if (!error_ || index < error_index_) {
      error_ = error;
      error_index_ = index;
    }
    next_ = n_;
  }

  const std::size_t n_;
  const std::function<void(std::size_t)>& work_;
  std::mutex mutex_;
  std::condition_variable finished_;
  std::size_t next_ = 0;
  std::size_t running_ = 0;
  std::size_t error_index_ = 0;
  std::exception_ptr error_;
};

/// Whole cores that a cgroup of version 2 grants, or 0 when it states no limit.
int cgroup_cores(const char* file) {
  std::ifstream in(file);
  std::string quota;
  double period = 0;
  if (!(in >> quota >> period) || quota == "max" || period <= 0) return 0;
  try {
    return static_cast<int>(std::clamp(std::stod(quota) / period, 1.0, 4096.0));
  } catch (const std::exception&) {
    return 0;
  }
}

}  // namespace

void ThreadPool::State::run() {
  own_pool = this;
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return stopping || !tasks.empty(); });
      if (stopping) return;
      task = std::move(tasks.front());
      tasks.pop_front();
    }
    try {
      task();
    } catch (...) {
      // The contract of `submit`: whoever needs to know uses `for_each`.
    }
  }
}

void ThreadPool::State::stop() {
  std::deque<std::function<void()>> dropped;
  {
    const std::lock_guard lock(mutex);
    stopping = true;
    dropped.swap(tasks);
  }
  changed.notify_all();
  for (auto& thread : threads) {
    // A task may hold the last reference to its own pool; its thread cannot wait for itself.
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
  threads.clear();
}

ThreadPool::ThreadPool(int threads) : state_(std::make_shared<State>()) {
  if (threads < 0) {
    throw Error(ErrorCode::usage, "a thread pool needs at least one thread", {{"threads", threads}},
                "give 0 for one a core");
  }
  const int count = threads == 0 ? hardware_threads() : threads;
  try {
    for (int i = 0; i < count; ++i) {
      state_->threads.emplace_back([state = state_] { state->run(); });
    }
  } catch (const std::system_error& e) {
    state_->stop();
    throw Error(ErrorCode::limit, "the system starts no further threads",
                {{"wanted", count}, {"reason", e.code().message()}}, "use fewer threads");
  }
}

ThreadPool::~ThreadPool() {
  state_->stop();
}

int ThreadPool::size() const {
  return static_cast<int>(state_->threads.size());
}

void ThreadPool::submit(std::function<void()> task) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->tasks.push_back(std::move(task));
  }
  state_->changed.notify_one();
}

void ThreadPool::for_each(std::size_t n, const std::function<void(std::size_t)>& work) {
  if (n == 0) return;
  const auto loop = std::make_shared<Loop>(n, work);
  const std::size_t helpers = std::min(n, static_cast<std::size_t>(size()));
  for (std::size_t i = 0; i < helpers; ++i) submit([loop] { loop->take_part(); });
  // Workers that call this wait for each other; taking part themselves, they always come to an end.
  if (own_pool == state_.get()) loop->take_part();
  loop->wait();
}

int hardware_threads() {
  int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) == 0 && CPU_COUNT(&allowed) > 0)
    cores = CPU_COUNT(&allowed);
  const int granted = cgroup_cores("/sys/fs/cgroup/cpu.max");
  return granted > 0 ? std::min(cores, granted) : cores;
}

}  // namespace kindling
