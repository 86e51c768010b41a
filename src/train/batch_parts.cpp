// Forward and backward of a batch: whole, or in parts whose gradients are summed, once memory has run out.

#include <kindling/core/error.hpp>
#include <kindling/train/learner.hpp>

#include <new>

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

/// A part of one item has no spread that a batch norm could measure.
constexpr std::int64_t least_part = 2;

/// The CPU's allocator throws a plain c10::Error.
bool says_no_memory(const c10::Error& e) {
  const std::string_view text = e.what_without_backtrace();
  return dynamic_cast<const c10::OutOfMemoryError*>(&e) != nullptr ||
         text.find("allocate memory") != std::string_view::npos || text.find("out of memory") != std::string_view::npos;
}

std::vector<torch::Tensor> narrowed(const std::vector<torch::Tensor>& whole, std::int64_t begin, std::int64_t size) {
  std::vector<torch::Tensor> part;
  for (const auto& t : whole) part.push_back(t.narrow(0, begin, size));
  return part;
}

}  // namespace

void Learner::forward_and_backward() {
  for (;;) {
    std::string reason;
    try {
      if (parts_ == 1)
        run_whole();
      else
        run_in_parts();
      return;
    } catch (const c10::Error& e) {
      if (!says_no_memory(e)) throw;
      reason = e.what_without_backtrace();
    } catch (const std::bad_alloc& e) {
      reason = e.what();
    }
    halve_batch(reason);
  }
}

void Learner::run_whole() {
  run_part(0, batch_size(), batch_size());
}

void Learner::run_part(std::int64_t begin, std::int64_t size, std::int64_t of) {
  part_begin = begin;
  pred = model.forward(xb);
  (*this)(Event::after_pred);
  if (!yb.empty()) {
    loss_grad = loss_func(pred, yb);
    loss = loss_grad.detach().clone();
    if (size != of) loss_grad = loss_grad * (static_cast<double>(size) / static_cast<double>(of));
  }
  (*this)(Event::after_loss);
  if (!training || yb.empty()) return;
  try {
    (*this)(Event::before_backward);
    loss_grad.backward();
  } catch (const CancelBackward&) {
    (*this)(Event::after_cancel_backward);
  }
  (*this)(Event::after_backward);
}

void Learner::run_in_parts() {
  // Whatever ends this, callbacks then see the whole batch again.
  struct Whole {
    Learner& learn;
    std::vector<torch::Tensor> x = learn.xb, y = learn.yb;
    ~Whole() {
      learn.xb = x;
      learn.yb = y;
      learn.part_begin = 0;
    }
  } whole{*this};
  const std::int64_t n = batch_size();
  const std::int64_t step = std::max(least_part, (n + parts_ - 1) / parts_);
  std::vector<torch::Tensor> preds;
  torch::Tensor total;
  for (std::int64_t begin = 0; begin < n;) {
    // What is left is not a single item.
    const std::int64_t size = n - begin - step < least_part ? n - begin : step;
    xb = narrowed(whole.x, begin, size);
    yb = narrowed(whole.y, begin, size);
    run_part(begin, size, n);
    preds.push_back(pred.detach());
    if (loss.defined()) {
      const auto share = loss * (static_cast<double>(size) / static_cast<double>(n));
      total = total.defined() ? total + share : share;
    }
    begin += size;
  }
  pred = torch::cat(preds);
  loss = total;
  loss_grad = torch::Tensor();
}

void Learner::halve_batch(const std::string& reason) {
  // What the failed attempt still holds goes before the next one.
  pred = loss_grad = loss = torch::Tensor();
  part_begin = 0;
  if (training && opt) opt->zero_grad();
  const std::int64_t n = batch_size();
  if (n / (parts_ * 2) < least_part) {
    throw Error(ErrorCode::limit, "there is not enough memory even for a small part of a batch",
                {{"items in a part", (n + parts_ - 1) / parts_}, {"reason", reason.substr(0, reason.find('\n'))}},
                "use smaller pictures (a smaller --size), or a smaller model");
  }
  parts_ *= 2;
  listener().message(Level::warning,
                     fmt::format("memory ran out with {} items at once: from here on a batch is run in {} parts of {}, "
                                 "whose gradients are summed. Batch norm and dropout see the parts one by one.",
                                 n * 2 / parts_, parts_, (n + parts_ - 1) / parts_));
  listener().event({{"event", "memory"}, {"batch", n}, {"parts", parts_}});
}

}  // namespace kindling
