#include <kindling/core/error.hpp>
#include <kindling/train/callback.hpp>

#include <cstdlib>

#include <cxxabi.h>

namespace kindling {

const torch::Tensor& CallbackState::tensor(const std::string& name) const {
  for (const auto& [key, value] : tensors) {
    if (key == name) return value;
  }
  throw Error(ErrorCode::bad_model, "the checkpoint lacks a tensor of a callback", {{"tensor", name}});
}

std::string detail::type_name(const std::type_info& type) {
  int failed = 0;
  const std::unique_ptr<char, void (*)(void*)> readable(abi::__cxa_demangle(type.name(), nullptr, nullptr, &failed),
                                                        std::free);
  std::string name = failed == 0 ? readable.get() : type.name();
  // A local type reads "test()::Mine"; the arguments of a template stay.
  const auto colons = name.rfind("::", name.find('<'));
  return colons == std::string::npos ? name : name.substr(colons + 2);
}

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
