#pragma once
/// fastai's optimizers: parameter groups, each with hyper-parameters that schedules move, stepped by foreach
/// or fused kernels.
///
///   Learner learn(dls, model, {.opt_func = SGD({.mom = 0.9})});
///
/// All formulas are those of fastai 2.8 (`fastai.optimizer`). Weight decay comes first: decoupled, p is multiplied by
/// 1 - lr wd; else wd p is added to the gradient. torch's own optimizers: kindling/train/optim_wrapper.hpp.

#include <kindling/core/json.hpp>
#include <kindling/train/hyper.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <torch/types.h>

namespace kindling {

/// One parameter with what the optimizer must know of it.
struct Param {
  torch::Tensor tensor;
  bool do_wd = true;         ///< weight decay applies
  bool force_train = false;  ///< stays trainable in a frozen group (norm layers)
};

using ParamGroups = std::vector<std::vector<Param>>;

/// Values by name: "lr", "mom", "sqr_mom", "eps", "wd" …
using Hypers = std::map<std::string, double>;

/// Base of all optimizers. State is kept a parameter and lost with `clear_state`. Parameters may be of any floating
/// dtype and on any device; their elements must lie densely (contiguous, channels last …).
class Optimizer {
 public:
  /// As `Weights::Named`.
  using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

  Optimizer(ParamGroups groups, Hypers defaults);
  Optimizer(ParamGroups groups, std::vector<Hypers> of_groups);
  virtual ~Optimizer() = default;

  /// Updates every parameter that has a gradient.
  virtual void step();
  /// Drops all gradients.
  void zero_grad();

  /// What checkpoints say of it: "Adam" …; empty for one of the user's own that says nothing.
  virtual std::string name() const { return {}; }
  std::size_t n_groups() const { return groups_.size(); }
  const ParamGroups& groups() const { return groups_; }
  const Hypers& hypers(std::size_t group) const { return hypers_[group]; }
  bool has_hyper(const std::string& name) const { return hypers_.front().count(name) != 0; }
  /// Throws `usage` for a name that this optimizer does not have.
  virtual void set_hyper(const std::string& name, const Hyper& value);

  /// Groups from `n` on train, those before only in their `force_train` parameters; a negative n counts from
  /// the end. State is cleared.
  void freeze_to(int n);
  void freeze() { freeze_to(-1); }
  void unfreeze() { freeze_to(0); }
  /// How many leading groups are frozen.
  int frozen_groups() const { return frozen_; }
  virtual void clear_state() { state_.clear(); }

  /// The state as tensors called "<group>.<parameter>.<name>" ("0.3.grad_avg"), in that order. They are the
  /// optimizer's own: copy what must outlast a step. With `hypers_to_json` it is all that going on bit-equal needs.
  virtual NamedTensors state() const;
  /// Replaces the state by copies of such tensors, which take the dtype, device and layout of their parameters.
  /// Throws `bad_weights` for a name or shape that does not fit; nothing is changed then.
  virtual void load_state(const std::map<std::string, torch::Tensor>& tensors);
  /// {"optimizer": name, "groups": [{"lr": …}, …], "params": parameters of each group, "frozen": leading groups}
  Json hypers_to_json() const;
  /// Sets hyper-parameters and frozen groups from that, and leaves the state alone. Throws `bad_weights` where they
  /// are of another optimizer or of other groups.
  void load_hypers(const Json& json);

 protected:
  using Tensors = std::vector<torch::Tensor>;
  /// State tensors of one parameter: "step" is one number, any other has the parameter's shape.
  using State = std::map<std::string, torch::Tensor>;
  /// Updates parameters of one group that all decay, or all do not: `wd` is then the group's, or 0. Gradients are
  /// dense and laid out as their parameters.
  virtual void step_params(const Tensors& params, const Tensors& grads, const Hypers& hypers, double wd) = 0;
  /// State tensors of that name, one a parameter, laid out alike, made as zeros where missing.
  Tensors state_of(const Tensors& params, const std::string& name);
  /// Adds one to the state "step" of each and gives the numbers; it is kept on the CPU.
  std::vector<double> count_step(const Tensors& params);

 private:
  void set_trainable_from(int first);
  ParamGroups groups_;
  std::vector<Hypers> hypers_;
  std::unordered_map<const void*, State> state_;
  int frozen_ = 0;
};

/// Makes an optimizer over parameter groups: what `opt_func` is.
using OptFunc = std::function<std::unique_ptr<Optimizer>(ParamGroups)>;

struct SGDOptions {
  double lr = 1e-3;
  double mom = 0;
  double wd = 0;
  bool decouple_wd = true;  ///< decay the weights themselves; false: add wd p to the gradient
};
/// v = mom v + g; p -= lr v (fastai `SGD`; no dampening). Made with mom 0 it is plain for good: a schedule of the
/// momentum then changes nothing.
OptFunc SGD(SGDOptions options = {});

struct RMSPropOptions {
  double lr = 1e-3;
  double mom = 0;
  double sqr_mom = 0.99;
  double eps = 1e-8;  ///< fastai takes it and always uses 1e-8
  double wd = 0;
  bool decouple_wd = true;
};
/// v = sqr_mom v + (1 - sqr_mom) g²; m = mom m + g (g itself where made with mom 0); p -= lr m / (sqrt(v) +
/// eps) (Hinton 2012, lecture 6e; fastai `RMSProp`).
OptFunc RMSProp(RMSPropOptions options = {});

struct AdamOptions {
  double lr = 1e-3;
  double mom = 0.9;
  double sqr_mom = 0.99;
  double eps = 1e-5;
  double wd = 0.01;
  bool decouple_wd = true;
};
/// Adam (Kingma, Ba 2015) with decoupled decay (Loshchilov, Hutter 2019); debiased with the current,
/// scheduled momentum (fastai `Adam`).
OptFunc Adam(AdamOptions options = {});

struct RAdamOptions {
  double lr = 1e-3;
  double mom = 0.9;
  double sqr_mom = 0.99;
  double eps = 1e-5;
  double wd = 0;
  double beta = 0;  ///< not 0: the denominator goes through softplus(·, beta) (SAdam)
  bool decouple_wd = true;
};
/// Adam whose step waits until the variance of the squares is known: rectified from where rho > 5, plain averaged
/// gradients before (Liu et al. 2020; fastai `RAdam`).
OptFunc RAdam(RAdamOptions options = {});

struct QHAdamOptions {
  double lr = 1e-3;
  double mom = 0.999;
  double sqr_mom = 0.999;
  double nu_1 = 0.7;  ///< part of the debiased average in the numerator, the rest is the gradient
  double nu_2 = 1;    ///< part of the debiased squares' average in the denominator
  double eps = 1e-8;
  double wd = 0;
  bool decouple_wd = true;
};
/// Quasi-hyperbolic Adam (Ma, Yarats 2019; fastai `QHAdam`).
OptFunc QHAdam(QHAdamOptions options = {});

struct LarcOptions {
  double lr = 1e-3;
  double mom = 0.9;
  bool clip = true;  ///< false: LARS, the local rate may exceed lr
  double trust_coeff = 0.02;
  double eps = 1e-8;
  double wd = 0;
  bool decouple_wd = true;
};
/// SGD with a rate for each parameter tensor: lr trust_coeff |p| / (|g| + wd |p| + eps), at most lr (You et al. 2017;
/// fastai `Larc`).
OptFunc Larc(LarcOptions options = {});

struct LambOptions {
  double lr = 1e-3;
  double mom = 0.9;
  double sqr_mom = 0.99;
  double eps = 1e-5;
  double wd = 0;
  bool decouple_wd = true;
};
/// Adam's step u scaled for each parameter tensor by min(|p| / |u|, 10), by 1 where either is zero (You et al.
/// 2020; fastai `Lamb`).
OptFunc Lamb(LambOptions options = {});

struct LookaheadOptions {
  int k = 6;           ///< steps between two meetings with the slow weights
  double alpha = 0.5;  ///< how far the slow weights go towards the fast ones
};
/// Wraps an optimizer: every k steps slow += alpha (fast - slow), fast = slow (Zhang et al. 2019; fastai `Lookahead`).
/// Hyper-parameters are those of the wrapped one.
OptFunc Lookahead(OptFunc opt_func, LookaheadOptions options = {});

struct RangerOptions {
  double lr = 1e-3;
  double mom = 0.95;
  double sqr_mom = 0.99;
  double eps = 1e-6;
  double wd = 0.01;
  double beta = 0;
  bool decouple_wd = true;
  int k = 6;
  double alpha = 0.5;
};
/// `Lookahead(RAdam(…))` (fastai `ranger`).
OptFunc ranger(RangerOptions options = {});

}  // namespace kindling
