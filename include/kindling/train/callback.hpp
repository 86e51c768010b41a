#pragma once
/// Code of the user's own inside the training loop.
///
///   struct PrintLoss {
///     void after_batch(Learner& learn) { … learn.loss … }
///   };
///   learn.fit(1, {.cbs = {PrintLoss{}}});
///
/// A type may have a member of the name of any event (below), taking the learner; `order` (ascending, default
/// 0), `run_train` and `run_valid` (default true), and `name` (default: the type's). One with `fit_only` = true takes
/// part in trainings alone, and not in `validate`, `get_preds` and the like; with `skip_lr_find` = true not in the mock
/// training of `lr_find` either. One with `save_state(CallbackState&) const` and `load_state(const CallbackState&)` is part of checkpoints: it needs both
/// where it keeps anything from one batch to the next that changes what is learnt.

#include <kindling/core/json.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <torch/types.h>

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

/// What a callback keeps in a checkpoint. Tensors may be the live ones: they are copied before training goes on.
struct CallbackState {
  Json values = Json::object();
  std::vector<std::pair<std::string, torch::Tensor>> tensors;
  /// Throws `bad_model` for a name that is not there.
  const torch::Tensor& tensor(const std::string& name) const;
};

namespace detail {
/// "EarlyStopping" of `kindling::EarlyStopping`.
std::string type_name(const std::type_info& type);
}  // namespace detail

/// Handle of a callback. Made from an object it owns a copy; made from a `std::shared_ptr` it shares the
/// object, so that the caller can look at it afterwards.
class Callback {
 public:
  template <class T>
    requires(!std::same_as<std::remove_cvref_t<T>, Callback>)
  Callback(T t) : Callback(std::make_shared<T>(std::move(t))) {}

  template <class T>
  Callback(std::shared_ptr<T> t) : name_(detail::type_name(typeid(T))) {
    if constexpr (requires { t->name; }) name_ = t->name;
    if constexpr (requires { t->order; }) order_ = t->order;
    if constexpr (requires { t->run_train; }) run_train_ = t->run_train;
    if constexpr (requires { t->run_valid; }) run_valid_ = t->run_valid;
    if constexpr (requires { t->fit_only; }) fit_only_ = t->fit_only;
    if constexpr (requires { t->skip_lr_find; }) skip_lr_find_ = t->skip_lr_find;
    if constexpr (requires(CallbackState& s) { t->save_state(s); }) {
      save_ = [t](CallbackState& state) { t->save_state(state); };
      load_ = [t](const CallbackState& state) { t->load_state(state); };
    }
// clang-format off
#define KINDLING_EVENT(event)                                                               \
  if constexpr (requires(Learner& learn) { t->event(learn); }) {                            \
    on_[static_cast<std::size_t>(Event::event)] = [t](Learner& learn) { t->event(learn); }; \
  }
    KINDLING_EVENT(after_create) KINDLING_EVENT(before_fit) KINDLING_EVENT(before_epoch) KINDLING_EVENT(before_train)
    KINDLING_EVENT(before_batch) KINDLING_EVENT(after_pred) KINDLING_EVENT(after_loss) KINDLING_EVENT(before_backward)
    KINDLING_EVENT(after_cancel_backward) KINDLING_EVENT(after_backward) KINDLING_EVENT(before_step)
    KINDLING_EVENT(after_cancel_step) KINDLING_EVENT(after_step) KINDLING_EVENT(after_cancel_batch)
    KINDLING_EVENT(after_batch) KINDLING_EVENT(after_cancel_train) KINDLING_EVENT(after_train)
    KINDLING_EVENT(before_validate) KINDLING_EVENT(after_cancel_validate) KINDLING_EVENT(after_validate)
    KINDLING_EVENT(after_cancel_epoch) KINDLING_EVENT(after_epoch) KINDLING_EVENT(after_cancel_fit)
    KINDLING_EVENT(after_fit)
#undef KINDLING_EVENT
    // clang-format on
  }

  int order() const { return order_; }
  const std::string& name() const { return name_; }
  bool fit_only() const { return fit_only_; }
  bool skip_lr_find() const { return skip_lr_find_; }
  bool has(Event event) const { return static_cast<bool>(on_[static_cast<std::size_t>(event)]); }
  bool has_state() const { return static_cast<bool>(save_); }
  void save_state(CallbackState& state) const { save_(state); }
  void load_state(const CallbackState& state) const { load_(state); }
  /// Runs the member for an event if there is one and it is to run in this mode.
  void operator()(Event event, Learner& learn, bool training) const {
    if (is_inner(event) && !(training ? run_train_ : run_valid_)) return;
    if (auto& f = on_[static_cast<std::size_t>(event)]) f(learn);
  }

 private:
  std::array<std::function<void(Learner&)>, n_events> on_;
  std::function<void(CallbackState&)> save_;
  std::function<void(const CallbackState&)> load_;
  std::string name_;
  int order_ = 0;
  bool run_train_ = true;
  bool run_valid_ = true;
  bool fit_only_ = false;
  bool skip_lr_find_ = false;
};

}  // namespace kindling
