#include <kindling/core/error.hpp>
#include <kindling/train/optim_wrapper.hpp>

#include <typeinfo>

#include <fmt/format.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>
#include <torch/utils.h>

namespace kindling {

namespace {

namespace optim = torch::optim;

/// A setting of torch's under fastai's name. `visit` gives each to `use(name, get, set)`.
template <class Options, class Use>
bool visit_betas(optim::OptimizerOptions& options, Use&& use) {
  auto* o = dynamic_cast<Options*>(&options);
  if (o == nullptr) return false;
  use("mom", [o] { return std::get<0>(o->betas()); },
      [o](double v) { o->betas({v, std::get<1>(o->betas())}); });
  use("sqr_mom", [o] { return std::get<1>(o->betas()); },
      [o](double v) { o->betas({std::get<0>(o->betas()), v}); });
  use("eps", [o] { return o->eps(); }, [o](double v) { o->eps(v); });
  use("wd", [o] { return o->weight_decay(); }, [o](double v) { o->weight_decay(v); });
  return true;
}

template <class Use>
void visit_settings(optim::OptimizerOptions& options, Use&& use) {
  use("lr", [&] { return options.get_lr(); }, [&](double v) { options.set_lr(v); });
  if (visit_betas<optim::AdamOptions>(options, use) || visit_betas<optim::AdamWOptions>(options, use)) return;
  if (auto* o = dynamic_cast<optim::SGDOptions*>(&options)) {
    use("mom", [o] { return o->momentum(); }, [o](double v) { o->momentum(v); });
    use("dampening", [o] { return o->dampening(); }, [o](double v) { o->dampening(v); });
    use("wd", [o] { return o->weight_decay(); }, [o](double v) { o->weight_decay(v); });
  } else if (auto* o = dynamic_cast<optim::RMSpropOptions*>(&options)) {
    use("mom", [o] { return o->momentum(); }, [o](double v) { o->momentum(v); });
    use("sqr_mom", [o] { return o->alpha(); }, [o](double v) { o->alpha(v); });
    use("eps", [o] { return o->eps(); }, [o](double v) { o->eps(v); });
    use("wd", [o] { return o->weight_decay(); }, [o](double v) { o->weight_decay(v); });
  } else if (auto* o = dynamic_cast<optim::AdagradOptions*>(&options)) {
    use("lr_decay", [o] { return o->lr_decay(); }, [o](double v) { o->lr_decay(v); });
    use("eps", [o] { return o->eps(); }, [o](double v) { o->eps(v); });
    use("wd", [o] { return o->weight_decay(); }, [o](double v) { o->weight_decay(v); });
  }
}

/// Members of one parameter's state: `number(name, get, set)` and `tensor(name, get, set)`.
template <class State, class Number, class Tensor>
bool visit_adam(optim::OptimizerParamState& state, Number&& number, Tensor&& tensor) {
  auto* s = dynamic_cast<State*>(&state);
  if (s == nullptr) return false;
  number("step", [s] { return s->step(); }, [s](std::int64_t v) { s->step(v); });
  tensor("exp_avg", [s] { return s->exp_avg(); }, [s](torch::Tensor t) { s->exp_avg(t); });
  tensor("exp_avg_sq", [s] { return s->exp_avg_sq(); }, [s](torch::Tensor t) { s->exp_avg_sq(t); });
  tensor("max_exp_avg_sq", [s] { return s->max_exp_avg_sq(); },
         [s](torch::Tensor t) { s->max_exp_avg_sq(t); });
  return true;
}

template <class Number, class Tensor>
void visit_state(optim::OptimizerParamState& state, Number&& number, Tensor&& tensor) {
  if (visit_adam<optim::AdamParamState>(state, number, tensor)) return;
  if (visit_adam<optim::AdamWParamState>(state, number, tensor)) return;
  if (auto* s = dynamic_cast<optim::SGDParamState*>(&state)) {
    tensor("momentum_buffer", [s] { return s->momentum_buffer(); },
           [s](torch::Tensor t) { s->momentum_buffer(t); });
  } else if (auto* s = dynamic_cast<optim::RMSpropParamState*>(&state)) {
    number("step", [s] { return s->step(); }, [s](std::int64_t v) { s->step(v); });
    tensor("square_avg", [s] { return s->square_avg(); }, [s](torch::Tensor t) { s->square_avg(t); });
    tensor("momentum_buffer", [s] { return s->momentum_buffer(); },
           [s](torch::Tensor t) { s->momentum_buffer(t); });
    tensor("grad_avg", [s] { return s->grad_avg(); }, [s](torch::Tensor t) { s->grad_avg(t); });
  } else if (auto* s = dynamic_cast<optim::AdagradParamState*>(&state)) {
    number("step", [s] { return s->step(); }, [s](std::int64_t v) { s->step(v); });
    tensor("sum", [s] { return s->sum(); }, [s](torch::Tensor t) { s->sum(t); });
  } else {
    throw Error(ErrorCode::unsupported, "the state of this optimizer cannot be saved, since its type is not known",
                {{"type", typeid(state).name()}}, "use one of torch's own or of the library's optimizers");
  }
}

struct Kind {
  std::string name;
  std::unique_ptr<optim::OptimizerParamState> (*fresh)();
};

template <class State>
std::unique_ptr<optim::OptimizerParamState> fresh() {
  return std::make_unique<State>();
}

/// Which of torch's it is; an empty name for one of the user's own.
Kind kind_of(optim::Optimizer& opt) {
  if (dynamic_cast<optim::Adam*>(&opt)) return {"Adam", fresh<optim::AdamParamState>};
  if (dynamic_cast<optim::AdamW*>(&opt)) return {"AdamW", fresh<optim::AdamWParamState>};
  if (dynamic_cast<optim::SGD*>(&opt)) return {"SGD", fresh<optim::SGDParamState>};
  if (dynamic_cast<optim::RMSprop*>(&opt)) return {"RMSprop", fresh<optim::RMSpropParamState>};
  if (dynamic_cast<optim::Adagrad*>(&opt)) return {"Adagrad", fresh<optim::AdagradParamState>};
  return {"", nullptr};
}

std::vector<Hypers> settings_of(optim::Optimizer& opt) {
  std::vector<Hypers> all;
  for (auto& group : opt.param_groups()) {
    Hypers values;
    visit_settings(group.options(),
                   [&](const char* name, auto&& get, auto&&) { values[name] = static_cast<double>(get()); });
    all.push_back(std::move(values));
  }
  return all;
}

class WrappedOptimizer final : public Optimizer {
 public:
  WrappedOptimizer(ParamGroups groups, std::unique_ptr<optim::Optimizer> opt)
      : Optimizer(std::move(groups), settings_of(*opt)), opt_(std::move(opt)) {}

  std::string name() const override { return "torch::optim::" + kind_of(*opt_).name; }
  void step() override { opt_->step(); }

  void set_hyper(const std::string& name, const Hyper& value) override {
    Optimizer::set_hyper(name, value);
    for (std::size_t g = 0; g < n_groups(); ++g) {
      visit_settings(opt_->param_groups()[g].options(), [&](const std::string& known, auto&&, auto&& set) {
        if (known == name) set(hypers(g).at(name));
      });
    }
  }

  void clear_state() override {
    // Adagrad makes its sums with itself and expects them ever after.
    if (auto* adagrad = dynamic_cast<optim::Adagrad*>(opt_.get())) {
      for (auto& group : opt_->param_groups()) {
        const auto& options = static_cast<optim::AdagradOptions&>(group.options());
        for (const auto& p : group.params()) {
          auto state = std::make_unique<optim::AdagradParamState>();
          state->sum(torch::full_like(p.detach(), options.initial_accumulator_value()));
          adagrad->state()[p.unsafeGetTensorImpl()] = std::move(state);
        }
      }
      return;
    }
    opt_->state().clear();
  }

  NamedTensors state() const override {
    NamedTensors named;
    for (std::size_t g = 0; g < n_groups(); ++g) {
      for (std::size_t p = 0; p < groups()[g].size(); ++p) {
        const auto found = opt_->state().find(groups()[g][p].tensor.unsafeGetTensorImpl());
        if (found == opt_->state().end()) continue;
        const auto key = [&](const char* name) { return fmt::format("{}.{}.{}", g, p, name); };
        visit_state(
            *found->second,
            [&](const char* name, auto&& get, auto&&) {
              named.emplace_back(key(name), torch::full({}, get(), torch::kInt64));
            },
            [&](const char* name, auto&& get, auto&&) {
              if (const torch::Tensor tensor = get(); tensor.defined()) named.emplace_back(key(name), tensor);
            });
      }
    }
    return named;
  }

  void load_state(const std::map<std::string, torch::Tensor>& tensors) override {
    torch::NoGradGuard no_grad;
    const Kind kind = kind_of(*opt_);
    if (kind.fresh == nullptr) {
      throw Error(ErrorCode::unsupported, "the state of an optimizer of the user's own cannot be loaded");
    }
    std::vector<std::pair<void*, std::unique_ptr<optim::OptimizerParamState>>> loaded;
    std::size_t used = 0;
    for (std::size_t g = 0; g < n_groups(); ++g) {
      for (std::size_t p = 0; p < groups()[g].size(); ++p) {
        const torch::Tensor& param = groups()[g][p].tensor;
        auto state = kind.fresh();
        const std::size_t before = used;
        used += fill(*state, tensors, fmt::format("{}.{}.", g, p), param);
        if (used > before) loaded.emplace_back(param.unsafeGetTensorImpl(), std::move(state));
      }
    }
    if (used != tensors.size()) {
      throw Error(ErrorCode::bad_weights, "the optimizer's state is that of another optimizer or model",
                  {{"optimizer", name()}, {"tensors", tensors.size()}, {"known", used}},
                  "make the learner with the optimizer that the state was saved with");
    }
    clear_state();
    for (auto& [param, state] : loaded) opt_->state()[param] = std::move(state);
  }

 protected:
  void step_params(const Tensors&, const Tensors&, const Hypers&, double) override {}

 private:
  /// Puts what `tensors` holds below `prefix` into a state; how many there were.
  static std::size_t fill(optim::OptimizerParamState& state, const std::map<std::string, torch::Tensor>& tensors,
                          const std::string& prefix, const torch::Tensor& param) {
    std::size_t used = 0;
    const auto with = [&](const char* name, torch::IntArrayRef sizes, auto&& take) {
      const auto found = tensors.find(prefix + name);
      if (found == tensors.end()) return;
      if (found->second.sizes() != sizes) {
        throw Error(ErrorCode::bad_weights, "a tensor of the optimizer's state has another shape than its parameter",
                    {{"name", prefix + name}});
      }
      take(found->second);
      ++used;
    };
    visit_state(
        state,
        [&](const char* name, auto&&, auto&& set) {
          with(name, {}, [&](const torch::Tensor& t) { set(t.item<std::int64_t>()); });
        },
        [&](const char* name, auto&&, auto&& set) {
          with(name, param.sizes(), [&](const torch::Tensor& t) {
            set(torch::empty_like(param, param.options().requires_grad(false)).copy_(t));
          });
        });
    return used;
  }

  std::unique_ptr<optim::Optimizer> opt_;
};

}  // namespace

OptFunc OptimWrapper(TorchOptimFunc make) {
  return [make = std::move(make)](ParamGroups groups) {
    std::vector<optim::OptimizerParamGroup> torch_groups;
    for (const auto& group : groups) {
      std::vector<torch::Tensor> params;
      for (const Param& p : group) params.push_back(p.tensor);
      torch_groups.emplace_back(std::move(params));
    }
    auto opt = make(std::move(torch_groups));
    if (dynamic_cast<optim::LBFGS*>(opt.get())) {
      throw Error(ErrorCode::unsupported, "LBFGS needs the loss several times within a step, which the loop has not",
                  {}, "use another optimizer");
    }
    return std::make_unique<WrappedOptimizer>(std::move(groups), std::move(opt));
  };
}

}  // namespace kindling
