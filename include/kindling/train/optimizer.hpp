#pragma once
/// fastai's optimizers: parameter groups, each with hyper-parameters that schedules move, stepped by foreach
/// or fused kernels.
///
///   Learner learn(dls, model, {.opt_func = SGD({.mom = 0.9})});

#include <kindling/train/hyper.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
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

/// Values by name: "lr", "mom", "sqr_mom", "eps", "wd".
using Hypers = std::map<std::string, double>;

/// Base of all optimizers. State is kept a parameter and lost with `clear_state`.
class Optimizer {
 public:
  Optimizer(ParamGroups groups, Hypers defaults);
  virtual ~Optimizer() = default;

  /// Updates every parameter that has a gradient.
  void step();
  /// Drops all gradients.
  void zero_grad();

  std::size_t n_groups() const { return groups_.size(); }
  const ParamGroups& groups() const { return groups_; }
  const Hypers& hypers(std::size_t group) const { return hypers_[group]; }
  bool has_hyper(const std::string& name) const { return hypers_.front().count(name) != 0; }
  /// Throws `usage` for a name that this optimizer does not have.
  void set_hyper(const std::string& name, const Hyper& value);

  /// Groups from `n` on train, those before only in their `force_train` parameters; a negative n counts from
  /// the end. State is cleared.
  void freeze_to(int n);
  void freeze() { freeze_to(-1); }
  void unfreeze() { freeze_to(0); }
  /// How many leading groups are frozen.
  int frozen_groups() const { return frozen_; }
  void clear_state() { state_.clear(); }

 protected:
  using Tensors = std::vector<torch::Tensor>;
  /// State tensors of one parameter.
  using State = std::map<std::string, torch::Tensor>;
  /// Updates parameters of one group that all decay, or all do not: `wd` is then the group's, or 0.
  virtual void step_params(const Tensors& params, const Tensors& grads, const Hypers& hypers, double wd) = 0;
  /// State tensors of that name, one a parameter, made as zeros (scalar: 0-d float32) where missing.
  Tensors state_of(const Tensors& params, const std::string& name, bool scalar = false);

 private:
  ParamGroups groups_;
  std::vector<Hypers> hypers_;
  std::map<const void*, State> state_;
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
/// v = mom v + g; p -= lr v (fastai `SGD`; no dampening).
OptFunc SGD(SGDOptions options = {});

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

}  // namespace kindling
