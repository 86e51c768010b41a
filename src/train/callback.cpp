#include <kindling/train/callback.hpp>

namespace kindling {

std::string_view name_of(Event event) {
  static constexpr std::string_view names[n_events] = {"after_create",
                                                       "before_fit",
                                                       "before_epoch",
                                                       "before_train",
                                                       "before_batch",
                                                       "after_pred",
                                                       "after_loss",
                                                       "before_backward",
                                                       "after_cancel_backward",
                                                       "after_backward",
                                                       "before_step",
                                                       "after_cancel_step",
                                                       "after_step",
                                                       "after_cancel_batch",
                                                       "after_batch",
                                                       "after_cancel_train",
                                                       "after_train",
                                                       "before_validate",
                                                       "after_cancel_validate",
                                                       "after_validate",
                                                       "after_cancel_epoch",
                                                       "after_epoch",
                                                       "after_cancel_fit",
                                                       "after_fit"};
  return names[static_cast<std::size_t>(event)];
}

bool is_inner(Event event) {
  return event >= Event::before_batch && event <= Event::after_batch;
}

}  // namespace kindling
