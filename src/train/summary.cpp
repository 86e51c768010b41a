// What a learner says of itself: the model's layers, and the loop with its callbacks.

#include <kindling/core/error.hpp>
#include <kindling/train/hooks.hpp>
#include <kindling/train/learner.hpp>

#include "train/forward_watch.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>

namespace kindling {

namespace {

constexpr int width = 76;

/// Layers without parameters that change a shape, by the operation that they run.
const std::map<std::string_view, std::string_view>& shape_layers() {
  static const std::map<std::string_view, std::string_view> known = {
      {"MaxPool2d", "aten::max_pool2d"},
      {"AvgPool2d", "aten::avg_pool2d"},
      {"AdaptiveAvgPool2d", "aten::adaptive_avg_pool2d"},
      {"AdaptiveMaxPool2d", "aten::adaptive_max_pool2d"},
      {"Flatten", "aten::flatten"}};
  return known;
}

std::string layer_name(const torch::nn::Module& module) {
  std::string name = detail::type_name(typeid(module));
  if (name.ends_with("Impl")) name.resize(name.size() - 4);
  return name;
}

std::string shape_text(torch::IntArrayRef sizes) {
  return fmt::format("{}", fmt::join(sizes.begin(), sizes.end(), " x "));
}

std::string with_commas(std::int64_t n) {
  const std::string digits = std::to_string(n);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

/// Shapes that a forward pass showed: of layers by their parameters, of others in the order in which they ran.
struct Shapes {
  std::map<const void*, std::string> of_param;
  std::map<std::string, std::deque<std::string>, std::less<>> of_operation;

  std::string of(const torch::nn::Module& module) {
    for (const torch::Tensor& p : module.parameters(/*recurse=*/false)) {
      const auto found = of_param.find(p.unsafeGetTensorImpl());
      if (found != of_param.end()) return found->second;
    }
    const auto known = shape_layers().find(layer_name(module));
    if (known == shape_layers().end()) return {};
    auto& ran = of_operation[std::string(known->second)];
    if (ran.empty()) return {};
    std::string first = std::move(ran.front());
    ran.pop_front();
    return first;
  }
};

/// One forward pass in evaluation mode. Gradients stay on: without them layers are run together, and none is seen.
Shapes shapes_of(const Model& model, const std::vector<torch::Tensor>& xb) {
  Shapes shapes;
  std::vector<std::string_view> others;
  for (const auto& [layer, operation] : shape_layers()) others.push_back(operation);
  const bool was_training = model.module().is_training();
  model.module().eval();
  {
    const detail::ForwardWatch watch(
        model.module().parameters(), others, [&](std::string_view op, const void* param, const torch::Tensor& y) {
          if (param != nullptr)
            shapes.of_param.emplace(param, shape_text(y.sizes()));
          else
            shapes.of_operation[std::string(op)].push_back(shape_text(y.sizes()));
        });
    model.forward(xb);
  }
  model.module().train(was_training);
  return shapes;
}

std::string layer_rows(const torch::nn::Module& model, Shapes& shapes) {
  std::string text, last;
  for (const auto& module : model.modules()) {
    if (!module->children().empty()) continue;
    const std::string shape = shapes.of(*module);
    if (!shape.empty() && shape != last) {
      if (!last.empty()) text += std::string(width, '_') + "\n";
      text += fmt::format("{:<20} {:<20}\n", "", shape);
      last = shape;
    }
    std::int64_t count = 0;
    bool trains = false;
    for (const torch::Tensor& p : module->parameters(/*recurse=*/false)) {
      count += p.numel();
      trains = trains || p.requires_grad();
    }
    const std::string number = count > 0 ? std::to_string(count) : "";
    text += fmt::format("{:<20} {:<20} {:<10} {:<10}\n", layer_name(*module), "", number,
                        count > 0 ? (trains ? "True" : "False") : "");
  }
  return text;
}

}  // namespace

std::string Learner::summary() {
  model.module().to(dls.device());
  const Batch batch = dls.train().one_batch();
  Shapes shapes = shapes_of(model, batch.x);
  std::vector<std::string> inputs;
  for (const auto& x : batch.x) inputs.push_back(shape_text(x.sizes()));
  std::string text = fmt::format("{} (Input shape: {})\n", layer_name(model.module()), fmt::join(inputs, ", "));
  const std::string rule(width, '=');
  text += fmt::format("{}\n{:<20} {:<20} {:<10} {:<10}\n{}\n", rule, "Layer (type)", "Output Shape", "Param #",
                      "Trainable", rule);
  text += layer_rows(model.module(), shapes) + std::string(width, '_') + "\n";
  std::int64_t all = 0, training_params = 0;
  for (const torch::Tensor& p : model.module().parameters()) {
    all += p.numel();
    if (p.requires_grad()) training_params += p.numel();
  }
  text += fmt::format("\nTotal params: {}\nTotal trainable params: {}\nTotal non-trainable params: {}\n\n",
                      with_commas(all), with_commas(training_params), with_commas(all - training_params));
  if (opt && !opt->name().empty()) text += fmt::format("Optimizer used: {}\n", opt->name());
  text += fmt::format("Loss function: {}\n\n", loss_func.name().empty() ? "a function of your own" : loss_func.name());
  if (opt) {
    text += opt->frozen_groups() == 0
                ? "Model unfrozen\n\n"
                : fmt::format("Model frozen up to parameter group #{}\n\n", opt->frozen_groups());
  }
  text += "Callbacks:\n";
  for (const Callback& cb : cbs_) text += fmt::format("  - {}\n", cb.name());
  return text;
}

namespace {

struct LoopLine {
  int indent;
  const char* text;
  int event;  // -1: a step of the loop itself
};

constexpr int line(Event event) {
  return static_cast<int>(event);
}

constexpr std::array loop_lines = {
    LoopLine{0, "Start Fit", -1},
    LoopLine{1, "", line(Event::before_fit)},
    LoopLine{1, "Start Epoch Loop", -1},
    LoopLine{2, "", line(Event::before_epoch)},
    LoopLine{2, "Start Train", -1},
    LoopLine{3, "", line(Event::before_train)},
    LoopLine{3, "Start Batch Loop", -1},
    LoopLine{4, "", line(Event::before_batch)},
    LoopLine{4, "", line(Event::after_pred)},
    LoopLine{4, "", line(Event::after_loss)},
    LoopLine{4, "", line(Event::before_backward)},
    LoopLine{4, "", line(Event::after_backward)},
    LoopLine{4, "", line(Event::before_step)},
    LoopLine{4, "", line(Event::after_step)},
    LoopLine{4, "", line(Event::after_cancel_batch)},
    LoopLine{4, "", line(Event::after_batch)},
    LoopLine{3, "End Batch Loop", -1},
    LoopLine{2, "End Train", -1},
    LoopLine{2, "", line(Event::after_cancel_train)},
    LoopLine{2, "", line(Event::after_train)},
    LoopLine{2, "Start Valid", -1},
    LoopLine{3, "", line(Event::before_validate)},
    LoopLine{3, "Start Batch Loop", -1},
    LoopLine{4, " - **CBs same as train batch**: []", -1},
    LoopLine{3, "End Batch Loop", -1},
    LoopLine{2, "End Valid", -1},
    LoopLine{2, "", line(Event::after_cancel_validate)},
    LoopLine{2, "", line(Event::after_validate)},
    LoopLine{1, "End Epoch Loop", -1},
    LoopLine{1, "", line(Event::after_cancel_epoch)},
    LoopLine{1, "", line(Event::after_epoch)},
    LoopLine{0, "End Fit", -1},
    LoopLine{0, "", line(Event::after_cancel_fit)},
    LoopLine{0, "", line(Event::after_fit)}};

}  // namespace

std::string Learner::show_training_loop() const {
  std::string text;
  for (const LoopLine& l : loop_lines) {
    const std::string space(static_cast<std::size_t>(2 * l.indent), ' ');
    if (l.event < 0) {
      text += space + l.text + "\n";
      continue;
    }
    const auto event = static_cast<Event>(l.event);
    std::vector<std::string> names;
    for (const Callback& cb : cbs_) {
      if (cb.has(event)) names.push_back(cb.name());
    }
    text += fmt::format("{} - {:<15}: [{}]\n", space, name_of(event), fmt::join(names, ", "));
  }
  return text;
}

}  // namespace kindling
