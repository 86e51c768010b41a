#pragma once
/// Code of the user's own inside the training loop.
///
///   struct PrintLoss {
///     void after_batch(Learner& learn) { … learn.loss … }
///   };
///   learn.fit(1, {.cbs = {PrintLoss{}}});
///
/// A type may have a member of the name of any event (below), taking the learner; `order` (ascending, default
/// 0), `run_train` and `run_valid` (default true), and `name`.

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace kindling {

class Learner;

/// Events of the loop, in fastai's names (fastai-facts 3.2).
enum class Event {
  after_create,
  before_fit,
  before_epoch,
  before_train,
  before_batch,
  after_pred,
  after_loss,
  before_backward,
  after_cancel_backward,
  after_backward,
  before_step,
  after_cancel_step,
  after_step,
  after_cancel_batch,
  after_batch,
  after_cancel_train,
  after_train,
  before_validate,
  after_cancel_validate,
  after_validate,
  after_cancel_epoch,
  after_epoch,
  after_cancel_fit,
  after_fit,
};
inline constexpr std::size_t n_events = static_cast<std::size_t>(Event::after_fit) + 1;

/// "before_fit" …
std::string_view name_of(Event event);
/// Events of one batch: callbacks may choose to run only in training or only in validation for these.
bool is_inner(Event event);

/// Thrown by a callback to leave a phase: its `after_cancel_…` runs, then its `after_…`, and the loop goes on
/// behind it.
struct CancelBatch {};
struct CancelBackward {};
struct CancelStep {};
struct CancelTrain {};
struct CancelValid {};
struct CancelEpoch {};
struct CancelFit {};

/// Handle of a callback. Made from an object it owns a copy; made from a `std::shared_ptr` it shares the
/// object, so that the caller can look at it afterwards.
class Callback {
 public:
  template <class T>
    requires(!std::same_as<std::remove_cvref_t<T>, Callback>)
  Callback(T t) : Callback(std::make_shared<T>(std::move(t))) {}

  template <class T>
  Callback(std::shared_ptr<T> t) {
    if constexpr (requires { t->name; }) name_ = t->name;
    if constexpr (requires { t->order; }) order_ = t->order;
    if constexpr (requires { t->run_train; }) run_train_ = t->run_train;
    if constexpr (requires { t->run_valid; }) run_valid_ = t->run_valid;
#define KINDLING_EVENT(event)                                                               \
  if constexpr (requires(Learner& learn) { t->event(learn); }) {                            \
    on_[static_cast<std::size_t>(Event::event)] = [t](Learner& learn) { t->event(learn); }; \
  }
    KINDLING_EVENT(after_create)
    KINDLING_EVENT(before_fit)
    KINDLING_EVENT(before_epoch)
    KINDLING_EVENT(before_train) KINDLING_EVENT(before_batch) KINDLING_EVENT(after_pred)
        KINDLING_EVENT(after_loss) KINDLING_EVENT(before_backward) KINDLING_EVENT(after_cancel_backward)
            KINDLING_EVENT(after_backward) KINDLING_EVENT(before_step) KINDLING_EVENT(after_cancel_step)
                KINDLING_EVENT(after_step) KINDLING_EVENT(after_cancel_batch) KINDLING_EVENT(after_batch)
                    KINDLING_EVENT(after_cancel_train) KINDLING_EVENT(after_train)
                        KINDLING_EVENT(before_validate) KINDLING_EVENT(after_cancel_validate)
                            KINDLING_EVENT(after_validate) KINDLING_EVENT(after_cancel_epoch)
                                KINDLING_EVENT(after_epoch) KINDLING_EVENT(after_cancel_fit)
                                    KINDLING_EVENT(after_fit)
#undef KINDLING_EVENT
  }

  int order() const { return order_; }
  const std::string& name() const { return name_; }
  /// Runs the member for an event if there is one and it is to run in this mode.
  void operator()(Event event, Learner& learn, bool training) const {
    if (is_inner(event) && !(training ? run_train_ : run_valid_)) return;
    if (auto& f = on_[static_cast<std::size_t>(event)]) f(learn);
  }

 private:
  std::array<std::function<void(Learner&)>, n_events> on_;
  std::string name_;
  int order_ = 0;
  bool run_train_ = true;
  bool run_valid_ = true;
};

}  // namespace kindling
