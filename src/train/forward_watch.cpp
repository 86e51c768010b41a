#include "train/forward_watch.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <ATen/record_function.h>
#include <torch/types.h>

namespace kindling::detail {

struct ForwardWatch::State {
  std::unordered_set<const void*> params;
  std::vector<std::string_view> others;
  OnOperation on_operation;
  at::CallbackHandle handle = 0;
  State* before = nullptr;
  int inside = 0;  // told operations that are running
  /// A linear layer multiplies by its weight's transpose, which is a tensor of its own: that one, and the weight.
  std::pair<const void*, const void*> transposed{};
};

namespace {

// torch takes plain functions as callbacks.
thread_local ForwardWatch::State* active = nullptr;

struct Context final : at::ObserverContext {
  const void* param = nullptr;
  bool transposes = false;
};

bool is_layer(std::string_view name) {
  static constexpr std::string_view layers[] = {"conv",       "linear",    "batch_norm", "layer_norm", "group_norm",
                                                "instance_norm", "embedding", "lstm",       "gru",        "rnn_",
                                                "prelu",      "bilinear",  "addmm",      "matmul"};
  constexpr std::string_view prefix = "aten::";
  if (!name.starts_with(prefix) || name.find("backward") != std::string_view::npos) return false;
  name.remove_prefix(prefix.size());
  return std::any_of(std::begin(layers), std::end(layers), [&](auto layer) { return name.starts_with(layer); });
}

const void* watched_of(const c10::IValue& value, const ForwardWatch::State& state) {
  const auto known = [&](const torch::Tensor& t) -> const void* {
    if (!t.defined()) return nullptr;
    const void* const impl = t.unsafeGetTensorImpl();
    if (state.transposed.first == impl) return state.transposed.second;
    return state.params.count(impl) != 0 ? impl : nullptr;
  };
  if (value.isTensor()) return known(value.toTensor());
  if (!value.isTensorList()) return nullptr;
  for (const torch::Tensor& t : value.toTensorVector()) {
    if (const void* found = known(t)) return found;
  }
  return nullptr;
}

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& fn) {
  if (active == nullptr || active->inside > 0) return nullptr;
  const std::string_view name = fn.name();
  auto context = std::make_unique<Context>();
  context->transposes = name == "aten::t";
  if (context->transposes || is_layer(name)) {
    for (const c10::IValue& input : fn.inputs()) {
      context->param = watched_of(input, *active);
      if (context->param != nullptr) break;
    }
  }
  const bool wanted = context->param != nullptr ||
                      std::find(active->others.begin(), active->others.end(), name) != active->others.end();
  if (!wanted) return nullptr;
  ++active->inside;
  return context;
}

void end(const at::RecordFunction& fn, at::ObserverContext* context) {
  if (context == nullptr || active == nullptr) return;
  const auto* told = static_cast<Context*>(context);
  active->transposed = {};
  for (const c10::IValue& output : fn.outputs()) {
    if (!output.isTensor()) continue;
    if (told->transposes) {
      active->transposed = {output.toTensor().unsafeGetTensorImpl(), told->param};
      break;
    }
    // What the listener does to the output is not told again.
    active->on_operation(fn.name(), told->param, output.toTensor());
    break;
  }
  --active->inside;
}

}  // namespace

ForwardWatch::ForwardWatch(const std::vector<torch::Tensor>& params, std::vector<std::string_view> others,
                           OnOperation on_operation)
    : state_(std::make_unique<State>()) {
  for (const torch::Tensor& p : params) state_->params.insert(p.unsafeGetTensorImpl());
  state_->others = std::move(others);
  state_->on_operation = std::move(on_operation);
  state_->before = std::exchange(active, state_.get());
  state_->handle = at::addThreadLocalCallback(at::RecordFunctionCallback(begin, end)
                                                  .needsInputs(true)
                                                  .needsOutputs(true)
                                                  .scopes({at::RecordScope::FUNCTION}));
}

ForwardWatch::~ForwardWatch() {
  at::removeCallback(state_->handle);
  if (active == state_.get()) {
    active = state_->before;
    return;
  }
  // One that was made later is still there: take this one out from beneath it.
  for (State* s = active; s != nullptr; s = s->before) {
    if (s->before == state_.get()) s->before = state_->before;
  }
}

}  // namespace kindling::detail
