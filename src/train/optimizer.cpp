#include <kindling/core/error.hpp>
#include <kindling/train/optimizer.hpp>

#include "train/shape_text.hpp"

#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>
#include <torch/utils.h>

namespace kindling {

namespace {

constexpr const char* step_state = "step";

/// Kernels that go through memory once take parameter, gradient and state to lie alike.
torch::Tensor laid_out_as(const torch::Tensor& tensor, const torch::Tensor& param) {
  const auto dense = tensor.layout() == torch::kStrided ? tensor : tensor.to_dense();
  return dense.strides() == param.strides() ? dense : torch::empty_like(param).copy_(dense);
}

Error unfit(const std::string& message, std::vector<Fact> facts) {
  return Error(ErrorCode::bad_weights, message, std::move(facts),
               "make the learner with the model, the groups and the optimizer that the state was saved with");
}

/// "2.14.grad_avg" in parts.
struct Place {
  std::size_t group = 0;
  std::size_t param = 0;
  std::string name;
};

std::optional<Place> place_from(const std::string& text) {
  Place place;
  const char* const end = text.data() + text.size();
  const auto group = std::from_chars(text.data(), end, place.group);
  if (group.ec != std::errc() || group.ptr == end || *group.ptr != '.') return std::nullopt;
  const auto param = std::from_chars(group.ptr + 1, end, place.param);
  if (param.ec != std::errc() || param.ptr == end || *param.ptr != '.') return std::nullopt;
  place.name.assign(param.ptr + 1, end);
  if (place.name.empty()) return std::nullopt;
  return place;
}

}  // namespace

Optimizer::Optimizer(ParamGroups groups, Hypers defaults)
    : Optimizer(groups, std::vector<Hypers>(groups.size(), std::move(defaults))) {}

Optimizer::Optimizer(ParamGroups groups, std::vector<Hypers> of_groups)
    : groups_(std::move(groups)), hypers_(std::move(of_groups)) {
  if (groups_.empty()) throw Error(ErrorCode::usage, "an optimizer needs a group of parameters");
  for (const auto& group : groups_) {
    for (const Param& p : group) {
      if (p.tensor.is_non_overlapping_and_dense()) continue;
      throw Error(ErrorCode::usage, "a parameter's elements do not lie densely in memory",
                  {{"shape", detail::shape_text(p.tensor.sizes())}, {"strides", detail::shape_text(p.tensor.strides())}},
                  "make the parameter with .contiguous()");
    }
  }
}

void Optimizer::step() {
  torch::NoGradGuard no_grad;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    for (bool decays : {true, false}) {
      Tensors params, grads;
      for (const Param& p : groups_[g]) {
        if (p.do_wd != decays || !p.tensor.grad().defined()) continue;
        params.push_back(p.tensor);
        grads.push_back(laid_out_as(p.tensor.grad(), p.tensor));
      }
      if (!params.empty()) step_params(params, grads, hypers_[g], decays ? hypers_[g].at("wd") : 0);
    }
  }
}

void Optimizer::zero_grad() {
  for (auto& group : groups_) {
    for (Param& p : group) p.tensor.mutable_grad().reset();
  }
}

void Optimizer::set_hyper(const std::string& name, const Hyper& value) {
  if (!has_hyper(name)) {
    throw Error(ErrorCode::usage, "this optimizer has no such hyper-parameter", {{"name", name}});
  }
  const auto values = value.over(groups_.size());
  for (std::size_t g = 0; g < groups_.size(); ++g) hypers_[g][name] = values[g];
}

void Optimizer::freeze_to(int n) {
  const int total = static_cast<int>(groups_.size());
  // One group cannot be split: freezing all but the last of one leaves all trainable, as in fastai.
  const int first = n >= 0 ? n : total == 1 ? 0 : total + n;
  if (first < 0 || first > total) {
    throw Error(ErrorCode::usage, "freeze_to names a parameter group that is not there",
                {{"n", n}, {"groups", total}});
  }
  set_trainable_from(first);
  clear_state();
}

void Optimizer::set_trainable_from(int first) {
  frozen_ = first;
  for (int g = 0; g < static_cast<int>(groups_.size()); ++g) {
    for (Param& p : groups_[g]) p.tensor.requires_grad_(g >= first || p.force_train);
  }
}

Optimizer::Tensors Optimizer::state_of(const Tensors& params, const std::string& name) {
  Tensors all;
  all.reserve(params.size());
  for (const auto& p : params) {
    torch::Tensor& state = state_[p.unsafeGetTensorImpl()][name];
    state = state.defined() ? laid_out_as(state, p) : torch::zeros_like(p, torch::MemoryFormat::Preserve);
    all.push_back(state);
  }
  return all;
}

std::vector<double> Optimizer::count_step(const Tensors& params) {
  std::vector<double> numbers;
  numbers.reserve(params.size());
  for (const auto& p : params) {
    torch::Tensor& step = state_[p.unsafeGetTensorImpl()][step_state];
    if (!step.defined()) step = torch::zeros({}, torch::kFloat32);
    numbers.push_back(*step.data_ptr<float>() += 1);
  }
  return numbers;
}

Optimizer::NamedTensors Optimizer::state() const {
  NamedTensors named;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    for (std::size_t p = 0; p < groups_[g].size(); ++p) {
      const auto found = state_.find(groups_[g][p].tensor.unsafeGetTensorImpl());
      if (found == state_.end()) continue;
      for (const auto& [name, tensor] : found->second)
        named.emplace_back(fmt::format("{}.{}.{}", g, p, name), tensor);
    }
  }
  return named;
}

void Optimizer::load_state(const std::map<std::string, torch::Tensor>& tensors) {
  torch::NoGradGuard no_grad;
  std::unordered_map<const void*, State> loaded;
  for (const auto& [key, tensor] : tensors) {
    const auto place = place_from(key);
    if (!place || place->group >= groups_.size() || place->param >= groups_[place->group].size()) {
      throw unfit("the optimizer's state names a parameter that is not there", {{"name", key}});
    }
    const torch::Tensor& param = groups_[place->group][place->param].tensor;
    const bool is_step = place->name == step_state;
    const torch::IntArrayRef expected = is_step ? torch::IntArrayRef{} : param.sizes();
    if (tensor.sizes() != expected) {
      throw unfit("a tensor of the optimizer's state has another shape than its parameter",
                  {{"name", key}, {"expected", detail::shape_text(expected)}, {"got", detail::shape_text(tensor.sizes())}});
    }
    loaded[param.unsafeGetTensorImpl()][place->name] =
        is_step ? tensor.to(torch::kCPU, torch::kFloat32, false, /*copy=*/true)
                : torch::empty_like(param).copy_(tensor);
  }
  state_ = std::move(loaded);
}

Json Optimizer::hypers_to_json() const {
  Json groups = Json::array(), params = Json::array();
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    Json values = Json::object();
    for (const auto& [name, value] : hypers_[g]) values[name] = value;
    groups.push_back(std::move(values));
    params.push_back(groups_[g].size());
  }
  return {{"optimizer", name()},
          {"groups", std::move(groups)},
          {"params", std::move(params)},
          {"frozen", frozen_}};
}

void Optimizer::load_hypers(const Json& json) try {
  const Json ours = hypers_to_json();
  if (json.at("optimizer") != ours["optimizer"] || json.at("params") != ours["params"]) {
    throw unfit("the state is that of another optimizer, or of other parameters",
                {{"expected", fmt::format("{} over {}", ours["optimizer"].dump(), ours["params"].dump())},
                 {"got", fmt::format("{} over {}", json.at("optimizer").dump(), json.at("params").dump())}});
  }
  const auto groups = json.at("groups").get<std::vector<Hypers>>();
  const int frozen = json.at("frozen").get<int>();
  bool fits = groups.size() == groups_.size() && frozen >= 0 && frozen <= static_cast<int>(groups_.size());
  for (std::size_t g = 0; fits && g < groups.size(); ++g) {
    fits = groups[g].size() == hypers_[g].size();
    for (const auto& [name, value] : groups[g])
      fits = fits && hypers_[g].count(name) != 0 && std::isfinite(value);
  }
  if (!fits) throw unfit("the optimizer's hyper-parameters do not fit", {{"optimizer", name()}});
  for (const auto& [name, value] : Hypers(hypers_.front())) {
    std::vector<double> values;
    for (const Hypers& group : groups) values.push_back(group.at(name));
    set_hyper(name, Hyper(std::move(values)));
  }
  if (frozen != frozen_) set_trainable_from(frozen);
} catch (const Json::exception& e) {
  throw unfit("the optimizer's hyper-parameters cannot be read", {{"detail", e.what()}});
}

}  // namespace kindling
