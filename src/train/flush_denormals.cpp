#include "train/flush_denormals.hpp"

#include "nn/parallel_for.hpp"

#include <functional>

#include <ATen/Context.h>
#include <ATen/Parallel.h>

namespace kindling::detail {

namespace {

/// Each thread keeps a floating-point environment of its own.
void on_each_thread(const std::function<void()>& work) {
  parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t, std::int64_t) { work(); });
}

}  // namespace

FlushDenormals::FlushDenormals() {
  std::fegetenv(&before_);
  on_each_thread([] { at::globalContext().setFlushDenormal(true); });
}

FlushDenormals::~FlushDenormals() {
  on_each_thread([this] { std::fesetenv(&before_); });
}

}  // namespace kindling::detail
