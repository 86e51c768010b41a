#include <kindling/train/optimizer.hpp>

#include "train/optimizer_blocks.hpp"

#include <cmath>
#include <tuple>

#include <ATen/ops/softplus.h>

namespace kindling {

namespace {

using Tensors = std::vector<torch::Tensor>;

/// Weight decay on the weights themselves, or on the gradients (which are then new tensors).
Tensors decay(const Tensors& params, const Tensors& grads, double lr, double wd, bool decouple) {
  if (wd == 0) return grads;
  if (!decouple) return at::_foreach_add(grads, params, wd);
  at::_foreach_mul_(params, 1 - lr * wd);
  return grads;
}

/// average = mom average + grad
void average(const Tensors& averages, const Tensors& grads, double mom) {
  at::_foreach_mul_(averages, mom);
  at::_foreach_add_(averages, grads);
}

/// average = sqr_mom average + (1 - sqr_mom) grad²
void average_squares(const Tensors& averages, const Tensors& grads, double sqr_mom) {
  at::_foreach_mul_(averages, sqr_mom);
  at::_foreach_addcmul_(averages, grads, grads, 1 - sqr_mom);
}

/// How much of its final weight an average has after a number of steps: what debiasing divides by.
double debias(double mom, double steps) {
  return 1 - std::pow(mom, steps);
}

/// sqrt(squares) + eps
Tensors root(const Tensors& squares, double eps) {
  Tensors roots = at::_foreach_sqrt(squares);
  at::_foreach_add_(roots, eps);
  return roots;
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
    const double lr = h.at("lr"), mom = h.at("mom"), sqr_mom = h.at("sqr_mom"), eps = h.at("eps");
    const Tensors squares = state_of(params, "sqr_avg");
    const Tensors averages = momentum_ ? state_of(params, "grad_avg") : Tensors{};
    detail::by_blocks(params, [&](const detail::BlockOf& block) {
      const Tensors p = block(params), v = block(squares);
      Tensors directions = decay(p, block(grads), lr, wd, decouple_);
      average_squares(v, directions, sqr_mom);
      if (momentum_) {
        const Tensors m = block(averages);
        average(m, directions, mom);
        directions = m;
      }
      at::_foreach_addcdiv_(p, directions, root(v, eps), -lr);
    });
  }
  bool momentum_;
  bool decouple_;
};

/// Adam and its relatives: what they share are both averages with their debiasing.
class AdamLike : public Optimizer {
 protected:
  /// `more` are the hyper-parameters beside Adam's.
  template <class Options>
  AdamLike(ParamGroups groups, const Options& o, Hypers more = {})
      : Optimizer(std::move(groups), with_adams(o, std::move(more))), decouple_(o.decouple_wd) {}

  /// Parameters that have made equally many steps, this one counted, with both averages of their gradients.
  struct Moments {
    Tensors params, grads, averages, squares;
    double step = 0;
  };
  virtual void step_alike(const Moments& m, const Hypers& h, double wd) = 0;

  /// Adam's step of `params`: the fused kernels go through memory once with fastai's formula, from decay to debiasing
  /// by the current mom and eps outside the root.
  void adam(const Tensors& params, const Moments& m, const Hypers& h, double lr, double wd) const {
    const auto step = torch::full({}, m.step, params.front().options().dtype(torch::kFloat32).requires_grad(false));
    auto update = [&](auto&& fused) {
      fused(params, m.grads, m.averages, m.squares, Tensors{}, Tensors(params.size(), step), lr, h.at("mom"),
            h.at("sqr_mom"), wd, h.at("eps"),
            /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/std::nullopt, /*found_inf=*/std::nullopt);
    };
    if (decouple_)
      update([](auto&&... args) { at::_fused_adamw_(args...); });
    else
      update([](auto&&... args) { at::_fused_adam_(args...); });
  }

  static void update_averages(const Moments& m, const Hypers& h) {
    at::_foreach_lerp_(m.averages, m.grads, 1 - h.at("mom"));
    average_squares(m.squares, m.grads, h.at("sqr_mom"));
  }

  /// Runs a formula over decayed blocks.
  void by_blocks(const Moments& m, const Hypers& h, double wd, const std::function<void(const Moments&)>& formula) const {
    detail::by_blocks(m.params, [&](const detail::BlockOf& block) {
      Moments part{block(m.params), block(m.grads), block(m.averages), block(m.squares), m.step};
      part.grads = decay(part.params, part.grads, h.at("lr"), wd, decouple_);
      formula(part);
    });
  }

  const bool decouple_;

 private:
  template <class Options>
  static Hypers with_adams(const Options& o, Hypers more) {
    more.insert({{"lr", o.lr}, {"mom", o.mom}, {"sqr_mom", o.sqr_mom}, {"eps", o.eps}, {"wd", o.wd}});
    return more;
  }

  // On the CPU one tensor after the other, which caches may hold from one pass to the next; elsewhere all of a step at
  // once, apart by device and dtype as fused kernels take them.
  void step_params(const Tensors& params, const Tensors& grads, const Hypers& h, double wd) final {
    const Tensors averages = state_of(params, "grad_avg"), squares = state_of(params, "sqr_avg");
    const std::vector<double> steps = count_step(params);
    std::map<std::tuple<std::size_t, int, at::ScalarType, double>, Moments> alike;
    for (std::size_t i = 0; i < params.size(); ++i) {
      const auto& p = params[i];
      Moments& m = alike[{p.is_cpu() ? i : params.size(), p.get_device(), p.scalar_type(), steps[i]}];
      m.params.push_back(p);
      m.grads.push_back(grads[i]);
      m.averages.push_back(averages[i]);
      m.squares.push_back(squares[i]);
      m.step = steps[i];
    }
    for (const auto& [key, m] : alike) step_alike(m, h, wd);
  }
};

class AdamOptimizer final : public AdamLike {
 public:
  AdamOptimizer(ParamGroups groups, const AdamOptions& o) : AdamLike(std::move(groups), o) {}
  std::string name() const override { return "Adam"; }

 private:
  void step_alike(const Moments& m, const Hypers& h, double wd) override { adam(m.params, m, h, h.at("lr"), wd); }
};

class RAdamOptimizer final : public AdamLike {
 public:
  RAdamOptimizer(ParamGroups groups, const RAdamOptions& o)
      : AdamLike(std::move(groups), o, {{"beta", o.beta}}) {}
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

  void step_alike(const Moments& m, const Hypers& h, double wd) override {
    const double lr = h.at("lr"), beta = h.at("beta");
    const double factor = rectification(h.at("sqr_mom"), m.step);
    // Rectified, it is Adam's step at another rate; the decay's stays.
    if (factor != 0 && beta == 0) return adam(m.params, m, h, lr * factor, decouple_ ? wd / factor : wd);
    const double rate = -lr / debias(h.at("mom"), m.step);
    by_blocks(m, h, wd, [&](const Moments& part) {
      update_averages(part, h);
      if (factor == 0) return at::_foreach_add_(part.params, part.averages, rate);
      Tensors roots = root(at::_foreach_div(part.squares, debias(h.at("sqr_mom"), m.step)), h.at("eps"));
      for (auto& r : roots) r = at::softplus(r, beta);
      at::_foreach_addcdiv_(part.params, part.averages, roots, rate * factor);
    });
  }
};

class QHAdamOptimizer final : public AdamLike {
 public:
  QHAdamOptimizer(ParamGroups groups, const QHAdamOptions& o)
      : AdamLike(std::move(groups), o, {{"nu_1", o.nu_1}, {"nu_2", o.nu_2}}) {}
  std::string name() const override { return "QHAdam"; }

 private:
  void step_alike(const Moments& m, const Hypers& h, double wd) override {
    const double nu_1 = h.at("nu_1"), nu_2 = h.at("nu_2");
    by_blocks(m, h, wd, [&](const Moments& part) {
      update_averages(part, h);
      Tensors directions = at::_foreach_mul(part.averages, nu_1 / debias(h.at("mom"), m.step));
      at::_foreach_add_(directions, part.grads, 1 - nu_1);
      Tensors squares = at::_foreach_mul(part.squares, nu_2 / debias(h.at("sqr_mom"), m.step));
      if (nu_2 != 1) at::_foreach_addcmul_(squares, part.grads, part.grads, 1 - nu_2);
      at::_foreach_addcdiv_(part.params, directions, root(squares, h.at("eps")), -h.at("lr"));
    });
  }
};

class LambOptimizer final : public AdamLike {
 public:
  LambOptimizer(ParamGroups groups, const LambOptions& o) : AdamLike(std::move(groups), o) {}
  std::string name() const override { return "Lamb"; }

 private:
  void step_alike(const Moments& m, const Hypers& h, double wd) override {
    const double lr = h.at("lr");
    Moments decayed = m;
    decayed.grads = decay(m.params, m.grads, lr, wd, decouple_);
    Tensors directions;
    for (const auto& p : m.params) directions.push_back(torch::zeros_like(p, torch::MemoryFormat::Preserve));
    adam(directions, decayed, h, /*lr=*/-1, /*wd=*/0);
    // Both norms are over equally many numbers, so that theirs is the ratio of fastai's root mean squares.
    const auto of_params = detail::norms(m.params), of_steps = detail::norms(directions);
    const auto ratio = torch::where((of_params == 0).logical_or(of_steps == 0), torch::ones_like(of_params),
                                    (of_params / of_steps).clamp_max(10));
    at::_foreach_addcmul_(m.params, directions, ratio.unbind(), -lr);
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
    const auto of_params = detail::norms(params);
    // fastai takes the group's decay here also for parameters that do not decay.
    auto rates = lr * h.at("trust_coeff") * of_params /
                 (detail::norms(directions) + of_params * h.at("wd") + h.at("eps"));
    if (clip_) rates.clamp_max_(lr);
    if (momentum_) {
      const Tensors averages = state_of(params, "grad_avg");
      detail::by_blocks(params, [&](const detail::BlockOf& block) {
        average(block(averages), block(directions), h.at("mom"));
      });
      directions = averages;
    }
    at::_foreach_addcmul_(params, directions, rates.unbind(), -1);
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
