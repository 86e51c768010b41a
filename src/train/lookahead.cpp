#include <kindling/core/error.hpp>
#include <kindling/train/optimizer.hpp>

#include <fmt/format.h>
#include <torch/utils.h>

namespace kindling {

namespace {

constexpr const char* prefix = "lookahead.";
constexpr const char* count_key = "lookahead.count";

std::vector<Hypers> hypers_of(const Optimizer& opt) {
  std::vector<Hypers> all;
  for (std::size_t g = 0; g < opt.n_groups(); ++g) all.push_back(opt.hypers(g));
  return all;
}

class LookaheadOptimizer final : public Optimizer {
 public:
  LookaheadOptimizer(std::unique_ptr<Optimizer> inner, const LookaheadOptions& o)
      : Optimizer(inner->groups(), hypers_of(*inner)), inner_(std::move(inner)), k_(o.k), alpha_(o.alpha) {}

  std::string name() const override { return fmt::format("Lookahead({})", inner_->name()); }

  void step() override {
    torch::NoGradGuard no_grad;
    if (slow_.empty()) copy_weights();
    inner_->step();
    if (++count_ % k_ != 0) return;
    Tensors fast = weights();
    at::_foreach_lerp_(slow_, fast, alpha_);
    at::_foreach_copy_(fast, slow_);
  }

  void set_hyper(const std::string& name, const Hyper& value) override {
    Optimizer::set_hyper(name, value);
    inner_->set_hyper(name, value);
  }

  void clear_state() override {
    inner_->clear_state();
    slow_.clear();
    count_ = 0;
  }

  /// The wrapped optimizer's, then "lookahead.count" and "lookahead.<group>.<parameter>".
  NamedTensors state() const override {
    NamedTensors named = inner_->state();
    if (slow_.empty()) return named;
    named.emplace_back(count_key, torch::full({}, count_, torch::kInt64));
    for (std::size_t g = 0, i = 0; g < n_groups(); ++g) {
      for (std::size_t p = 0; p < groups()[g].size(); ++p)
        named.emplace_back(fmt::format("{}{}.{}", prefix, g, p), slow_[i++]);
    }
    return named;
  }

  void load_state(const std::map<std::string, torch::Tensor>& tensors) override {
    torch::NoGradGuard no_grad;
    std::map<std::string, torch::Tensor> of_inner;
    Tensors slow;
    for (const auto& [key, tensor] : tensors) {
      if (!key.starts_with(prefix)) of_inner.emplace(key, tensor);
    }
    std::int64_t count = 0;
    if (const auto found = tensors.find(count_key); found != tensors.end()) {
      if (found->second.numel() != 1) throw misfit(count_key);
      count = found->second.item<std::int64_t>();
      for (std::size_t g = 0; g < n_groups(); ++g) {
        for (std::size_t p = 0; p < groups()[g].size(); ++p)
          slow.push_back(slow_weight(tensors, fmt::format("{}{}.{}", prefix, g, p), groups()[g][p].tensor));
      }
    }
    inner_->load_state(of_inner);
    slow_ = std::move(slow);
    count_ = count;
  }

 protected:
  void step_params(const Tensors&, const Tensors&, const Hypers&, double) override {}

 private:
  static Error misfit(const std::string& name) {
    return Error(ErrorCode::bad_weights, "the slow weights of Lookahead are missing or of another shape",
                 {{"name", name}}, "make the learner with the model and the groups that the state was saved with");
  }

  static torch::Tensor slow_weight(const std::map<std::string, torch::Tensor>& tensors, const std::string& name,
                                   const torch::Tensor& param) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.sizes() != param.sizes()) throw misfit(name);
    return torch::empty_like(param, param.options().requires_grad(false)).copy_(found->second);
  }

  Tensors weights() const {
    Tensors all;
    for (const auto& group : groups()) {
      for (const Param& p : group) all.push_back(p.tensor);
    }
    return all;
  }

  void copy_weights() {
    for (const auto& w : weights()) slow_.push_back(w.detach().clone());
  }

  std::unique_ptr<Optimizer> inner_;
  int k_;
  double alpha_;
  Tensors slow_;  // in the order of weights(); empty before the first step
  std::int64_t count_ = 0;
};

}  // namespace

OptFunc Lookahead(OptFunc opt_func, LookaheadOptions options) {
  if (options.k < 1) throw Error(ErrorCode::usage, "Lookahead needs a k of at least 1", {{"k", options.k}});
  return [opt_func = std::move(opt_func), options](ParamGroups groups) {
    return std::make_unique<LookaheadOptimizer>(opt_func(std::move(groups)), options);
  };
}

OptFunc ranger(RangerOptions o) {
  return Lookahead(RAdam({.lr = o.lr,
                          .mom = o.mom,
                          .sqr_mom = o.sqr_mom,
                          .eps = o.eps,
                          .wd = o.wd,
                          .beta = o.beta,
                          .decouple_wd = o.decouple_wd}),
                   {.k = o.k, .alpha = o.alpha});
}

}  // namespace kindling
