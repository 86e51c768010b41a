#include <kindling/core/error.hpp>
#include <kindling/core/thread_pool.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace kindling {
namespace {

TEST(ThreadPool, HasTheThreadsAskedForOrOneACore) {
  EXPECT_EQ(ThreadPool(3).size(), 3);
  EXPECT_EQ(ThreadPool().size(), hardware_threads());
  EXPECT_GE(hardware_threads(), 1);
  EXPECT_THROW(ThreadPool(-1), Error);
}

TEST(ThreadPool, RunsSubmittedTasksInOrder) {
  std::vector<int> order;
  std::promise<void> last;
  ThreadPool pool(1);
  for (int i = 0; i < 50; ++i) pool.submit([&order, i] { order.push_back(i); });
  pool.submit([&] { last.set_value(); });
  last.get_future().wait();
  std::vector<int> expected(50);
  for (int i = 0; i < 50; ++i) expected[static_cast<std::size_t>(i)] = i;
  EXPECT_EQ(order, expected);
}

TEST(ThreadPool, GoesOnAfterATaskThatThrows) {
  ThreadPool pool(1);
  std::promise<int> value;
  pool.submit([] { throw std::runtime_error("lost"); });
  pool.submit([&] { value.set_value(5); });
  EXPECT_EQ(value.get_future().get(), 5);
}

TEST(ThreadPool, DestructionWaitsForRunningTasksAndDropsTheRest) {
  std::atomic<int> finished{0};
  std::latch begun(1);
  {
    ThreadPool pool(1);
    pool.submit([&] {
      begun.count_down();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      ++finished;
    });
    for (int i = 0; i < 10; ++i) {
      pool.submit([&] {
        std::this_thread::sleep_for(std::chrono::seconds(5));
        ++finished;
      });
    }
    begun.wait();
  }
  EXPECT_EQ(finished, 1);
}

TEST(ThreadPool, MayEndInsideItsOwnTask) {
  std::promise<void> done;
  auto pool = std::make_shared<ThreadPool>(2);
  std::latch handed_over(1);
  pool->submit([&, held = pool]() mutable {
    handed_over.wait();
    held.reset();
    done.set_value();
  });
  pool.reset();
  handed_over.count_down();
  EXPECT_EQ(done.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(ForEach, RunsEveryIndexOnce) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> counts(10'000);
  pool.for_each(counts.size(), [&](std::size_t i) { ++counts[i]; });
  for (const auto& count : counts) ASSERT_EQ(count, 1);
  pool.for_each(0, [](std::size_t) { FAIL(); });
}

TEST(ForEach, RunsOnAsManyThreadsAsThePoolHas) {
  ThreadPool pool(3);
  std::latch all_here(3);
  pool.for_each(3, [&](std::size_t) { all_here.arrive_and_wait(); });
  EXPECT_TRUE(all_here.try_wait());
}

TEST(ForEach, ThrowsTheErrorOfTheLowestIndex) {
  ThreadPool pool(4);
  for (int round = 0; round < 50; ++round) {
    try {
      pool.for_each(200, [](std::size_t i) {
        if (i >= 7) throw std::runtime_error(std::to_string(i));
      });
      FAIL();
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "7");
    }
  }
}

TEST(ForEach, LeavesOutWhatHasNotBegunAfterAnError) {
  ThreadPool pool(2);
  std::atomic<int> runs{0};
  EXPECT_THROW(pool.for_each(100'000,
                             [&](std::size_t i) {
                               ++runs;
                               if (i == 0) throw std::runtime_error("stop");
                               std::this_thread::sleep_for(std::chrono::microseconds(100));
                             }),
               std::runtime_error);
  EXPECT_LT(runs, 50'000);
}

TEST(ForEach, NestedLoopsComeToAnEnd) {
  ThreadPool pool(2);
  std::atomic<int> runs{0};
  pool.for_each(8, [&](std::size_t) { pool.for_each(8, [&](std::size_t) { ++runs; }); });
  EXPECT_EQ(runs, 64);
}

TEST(ForEach, ServesSeveralCallersAtOnce) {
  ThreadPool pool(2);
  std::atomic<int> runs{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) pool.for_each(20, [&](std::size_t) { ++runs; });
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(runs, 4 * 50 * 20);
}

}  // namespace
}  // namespace kindling
