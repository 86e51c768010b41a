#include <kindling/train/optimizer.hpp>

#include <cmath>

#include <ATen/ops/softplus.h>

namespace kindling {

namespace {

using Tensors = std::vector<torch::Tensor>;
using Scalars = std::vector<at::Scalar>;

/// Weight decay on the weights themselves, or on the gradients (which are then new tensors).
Tensors decay(const Tensors& params, const Tensors& grads, double lr, double wd, bool decouple) {
  if (wd == 0) return grads;
  if (!decouple) return at::_foreach_add(grads, params, wd);
  at::_foreach_mul_(params, 1 - lr * wd);
  return grads;
}

/// average = mom average + part grad
void average(Tensors& averages, const Tensors& grads, double mom, double part) {
  at::_foreach_mul_(averages, mom);
  at::_foreach_add_(averages, grads, part);
}

/// average = sqr_mom average + (1 - sqr_mom) grad²
void average_squares(Tensors& averages, const Tensors& grads, double sqr_mom) {
  at::_foreach_mul_(averages, sqr_mom);
  at::_foreach_addcmul_(averages, grads, grads, 1 - sqr_mom);
}

/// How much of its final weight an average has after each number of steps: what debiasing divides by.
Scalars debias(double mom, const std::vector<double>& steps) {
  Scalars all;
  for (double step : steps) all.emplace_back(1 - std::pow(mom, step));
  return all;
}

/// sqrt(squares / debias) + eps
Tensors root(const Tensors& squares, const Scalars& debias, double eps) {
  Tensors roots = at::_foreach_div(squares, debias);
  at::_foreach_sqrt_(roots);
  at::_foreach_add_(roots, eps);
  return roots;
}

/// Euclidean norms of all tensors as one, on their device: nothing waits for them.
torch::Tensor norms(const Tensors& tensors) {
  return torch::stack(at::_foreach_norm(tensors, 2));
}

class SGDOptimizer final : public Optimizer {
 public:
  SGDOptimizer(ParamGroups groups, const SGDOptions& o)
      : Optimizer(std::move(groups), Hypers{{"lr", o.lr}, {"mom", o.mom}, {"wd", o.wd}}),
        momentum_(o.mom != 0),
        decouple_(o.decouple_wd) {}
  std::string name() const override { return "SGD"; }

 private:
  void step_params(const Tensors& params, const Tensors& grads, const Hypers& h, double wd) override {
    const double lr = h.at("lr");
    if (!momentum_) {
      at::_foreach_add_(params, decay(params, grads, lr, wd, decouple_), -lr);
      return;
    }
    if (decouple_ && wd != 0) at::_foreach_mul_(params, 1 - lr * wd);
    // One pass: velocity = mom velocity + (grad + wd param), param -= lr velocity.
    at::_fused_sgd_(params, grads, state_of(params, "grad_avg"), decouple_ ? 0 : wd, h.at("mom"), lr,
                    /*dampening=*/0, /*nesterov=*/false, /*maximize=*/false, /*is_first_step=*/false);
  }
  bool momentum_;
  bool decouple_;
};

class RMSPropOptimizer final : public Optimizer {
 public:
  RMSPropOptimizer(ParamGroups groups, const RMSPropOptions& o)
      : Optimizer(std::move(groups), Hypers{{"lr", o.lr},
                                            {"mom", o.mom},
                                            {"sqr_mom", o.sqr_mom},
                                            {"eps", o.eps},
                                            {"wd", o.wd}}),
        momentum_(o.mom != 0),
        decouple_(o.decouple_wd) {}
  std::string name() const override { return "RMSProp"; }

 private:
  void step_params(const Tensors& params, const Tensors& grads, const Hypers& h, double wd) override {
    Tensors directions = decay(params, grads, h.at("lr"), wd, decouple_);
    Tensors squares = state_of(params, "sqr_avg");
    average_squares(squares, directions, h.at("sqr_mom"));
    if (momentum_) {
      Tensors averages = state_of(params, "grad_avg");
      average(averages, directions, h.at("mom"), 1);
      directions = std::move(averages);
    }
    Tensors roots = at::_foreach_sqrt(squares);
    at::_foreach_add_(roots, h.at("eps"));
    at::_foreach_addcdiv_(params, directions, roots, -h.at("lr"));
  }
  bool momentum_;
  bool decouple_;
};

class AdamOptimizer final : public Optimizer {
 public:
  AdamOptimizer(ParamGroups groups, const AdamOptions& o)
      : Optimizer(std::move(groups), Hypers{{"lr", o.lr},
                                            {"mom", o.mom},
                                            {"sqr_mom", o.sqr_mom},
                                            {"eps", o.eps},
                                            {"wd", o.wd}}),
        decouple_(o.decouple_wd) {}
  std::string name() const override { return "Adam"; }

 private:
  // The fused kernels compute fastai's formula in one pass: decay, both averages, debiasing by the current
  // mom, and eps outside the root.
  void step_params(const Tensors& params, const Tensors& grads, const Hypers& h, double wd) override {
    Tensors averages = state_of(params, "grad_avg"), squares = state_of(params, "sqr_avg");
    Tensors steps = steps_of(params);
    at::_foreach_add_(steps, 1);
    auto update = [&](auto&& fused) {
      fused(params, grads, averages, squares, Tensors{}, steps, h.at("lr"), h.at("mom"), h.at("sqr_mom"), wd,
            h.at("eps"),
            /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/std::nullopt, /*found_inf=*/std::nullopt);
    };
    if (decouple_)
      update([](auto&&... args) { at::_fused_adamw_(args...); });
    else
      update([](auto&&... args) { at::_fused_adam_(args...); });
  }
  bool decouple_;
};

/// What the relatives of Adam share: decayed gradients and both averages with their debiasing.
class AdamLike : public Optimizer {
 protected:
  AdamLike(ParamGroups groups, Hypers defaults, bool decouple)
      : Optimizer(std::move(groups), std::move(defaults)), decouple_(decouple) {}

  struct Moments {
    Tensors grads, averages, squares;
    std::vector<double> steps;
    Scalars debias, square_debias;
  };
  Moments update_moments(const Tensors& params, const Tensors& grads, const Hypers& h, double wd) {
    Moments m{.grads = decay(params, grads, h.at("lr"), wd, decouple_),
              .averages = state_of(params, "grad_avg"),
              .squares = state_of(params, "sqr_avg"),
              .steps = count_step(params)};
    average(m.averages, m.grads, h.at("mom"), 1 - h.at("mom"));
    average_squares(m.squares, m.grads, h.at("sqr_mom"));
    m.debias = debias(h.at("mom"), m.steps);
    m.square_debias = debias(h.at("sqr_mom"), m.steps);
    return m;
  }

 private:
  bool decouple_;
};

class RAdamOptimizer final : public AdamLike {
 public:
  RAdamOptimizer(ParamGroups groups, const RAdamOptions& o)
      : AdamLike(std::move(groups),
                 {{"lr", o.lr},
                  {"mom", o.mom},
                  {"sqr_mom", o.sqr_mom},
                  {"eps", o.eps},
                  {"wd", o.wd},
                  {"beta", o.beta}},
                 o.decouple_wd) {}
  std::string name() const override { return "RAdam"; }

 private:
  /// What the step is multiplied by once the variance is known; 0 before.
  static double rectification(double sqr_mom, double step) {
    const double limit = 2 / (1 - sqr_mom) - 1;
    const double power = std::pow(sqr_mom, step);
    const double rho = limit - 2 * step * power / (1 - power);
    if (!(rho > 5)) return 0;
    return std::sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho));
  }

  // Parameters may be at different steps, when some got gradients later: each is rectified or not by its own.
  void step_params(const Tensors& params, const Tensors& grads, const Hypers& h, double wd) override {
    const Moments m = update_moments(params, grads, h, wd);
    Tensors roots = root(m.squares, m.square_debias, h.at("eps"));
    for (std::size_t i = 0; i < params.size(); ++i) {
      const double rate = -h.at("lr") / m.debias[i].toDouble();
      const double factor = rectification(h.at("sqr_mom"), m.steps[i]);
      if (factor == 0) {
        params[i].add_(m.averages[i], rate);
      } else {
        if (h.at("beta") != 0) roots[i] = at::softplus(roots[i], h.at("beta"));
        params[i].addcdiv_(m.averages[i], roots[i], rate * factor);
      }
    }
  }
};

class QHAdamOptimizer final : public AdamLike {
 public:
  QHAdamOptimizer(ParamGroups groups, const QHAdamOptions& o)
      : AdamLike(std::move(groups),
                 {{"lr", o.lr},
                  {"mom", o.mom},
                  {"sqr_mom", o.sqr_mom},
                  {"nu_1", o.nu_1},
                  {"nu_2", o.nu_2},
                  {"eps", o.eps},
                  {"wd", o.wd}},
                 o.decouple_wd) {}
  std::string name() const override { return "QHAdam"; }

 private:
  void step_params(const Tensors& params, const Tensors& grads, const Hypers& h, double wd) override {
    const Moments m = update_moments(params, grads, h, wd);
    const double nu_1 = h.at("nu_1"), nu_2 = h.at("nu_2");
    Tensors directions = at::_foreach_div(m.averages, m.debias);
    at::_foreach_mul_(directions, nu_1);
    at::_foreach_add_(directions, m.grads, 1 - nu_1);
    Tensors roots = at::_foreach_div(m.squares, m.square_debias);
    at::_foreach_mul_(roots, nu_2);
    at::_foreach_addcmul_(roots, m.grads, m.grads, 1 - nu_2);
    at::_foreach_sqrt_(roots);
    at::_foreach_add_(roots, h.at("eps"));
    at::_foreach_addcdiv_(params, directions, roots, -h.at("lr"));
  }
};

class LambOptimizer final : public AdamLike {
 public:
  LambOptimizer(ParamGroups groups, const LambOptions& o)
      : AdamLike(std::move(groups),
                 {{"lr", o.lr}, {"mom", o.mom}, {"sqr_mom", o.sqr_mom}, {"eps", o.eps}, {"wd", o.wd}},
                 o.decouple_wd) {}
  std::string name() const override { return "Lamb"; }

 private:
  void step_params(const Tensors& params, const Tensors& grads, const Hypers& h, double wd) override {
    const Moments m = update_moments(params, grads, h, wd);
    Tensors directions = at::_foreach_div(m.averages, m.debias);
    at::_foreach_div_(directions, root(m.squares, m.square_debias, h.at("eps")));
    // Both norms are over equally many numbers, so that theirs is the ratio of fastai's root mean squares.
    const auto of_params = norms(params), of_steps = norms(directions);
    const auto ratio = torch::where((of_params == 0).logical_or(of_steps == 0), torch::ones_like(of_params),
                                    (of_params / of_steps).clamp_max(10));
    at::_foreach_mul_(directions, ratio.unbind());
    at::_foreach_add_(params, directions, -h.at("lr"));
  }
};

class LarcOptimizer final : public Optimizer {
 public:
  LarcOptimizer(ParamGroups groups, const LarcOptions& o)
      : Optimizer(std::move(groups), Hypers{{"lr", o.lr},
                                            {"mom", o.mom},
                                            {"trust_coeff", o.trust_coeff},
                                            {"eps", o.eps},
                                            {"wd", o.wd}}),
        momentum_(o.mom != 0),
        clip_(o.clip),
        decouple_(o.decouple_wd) {}
  std::string name() const override { return "Larc"; }

 private:
  void step_params(const Tensors& params, const Tensors& grads, const Hypers& h, double wd) override {
    const double lr = h.at("lr");
    Tensors directions = decay(params, grads, lr, wd, decouple_);
    const auto of_params = norms(params);
    // fastai takes the group's decay here also for parameters that do not decay.
    auto rates = lr * h.at("trust_coeff") * of_params /
                 (norms(directions) + of_params * h.at("wd") + h.at("eps"));
    if (clip_) rates.clamp_max_(lr);
    if (momentum_) {
      Tensors averages = state_of(params, "grad_avg");
      average(averages, directions, h.at("mom"), 1);
      directions = std::move(averages);
    }
    at::_foreach_sub_(params, at::_foreach_mul(directions, rates.unbind()));
  }
  bool momentum_;
  bool clip_;
  bool decouple_;
};

template <class T, class Options>
OptFunc maker(const Options& options) {
  return [options](ParamGroups groups) { return std::make_unique<T>(std::move(groups), options); };
}

}  // namespace

OptFunc SGD(SGDOptions options) {
  return maker<SGDOptimizer>(options);
}
OptFunc RMSProp(RMSPropOptions options) {
  return maker<RMSPropOptimizer>(options);
}
OptFunc Adam(AdamOptions options) {
  return maker<AdamOptimizer>(options);
}
OptFunc RAdam(RAdamOptions options) {
  return maker<RAdamOptimizer>(options);
}
OptFunc QHAdam(QHAdamOptions options) {
  return maker<QHAdamOptimizer>(options);
}
OptFunc Larc(LarcOptions options) {
  return maker<LarcOptimizer>(options);
}
OptFunc Lamb(LambOptions options) {
  return maker<LambOptimizer>(options);
}

}  // namespace kindling
