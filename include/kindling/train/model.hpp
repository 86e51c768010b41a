#pragma once
/// What a learner trains: any torch module, with what exports and transfer learning must know of it.

#include <kindling/core/json.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/nn/module.h>
#include <torch/types.h>

namespace kindling {

/// Handle of a model. `nn::Linear(784, 1)`, `nn::Sequential(…)` and any `std::shared_ptr` of a module with
/// `Tensor forward(Tensor)` (or of two and more inputs, through `Model(module, function)`) convert to it.
class Model {
 public:
  using Inputs = std::vector<torch::Tensor>;
  using Forward = std::function<torch::Tensor(const Inputs&)>;
  using Modules = std::vector<std::shared_ptr<torch::nn::Module>>;

  Model() = default;
  Model(std::shared_ptr<torch::nn::Module> module, Forward forward)
      : module_(std::move(module)), forward_(std::move(forward)) {}

  template <class M>
    requires(std::derived_from<M, torch::nn::Module> &&
             requires(M& m, torch::Tensor x) {
               { m.forward(x) } -> std::convertible_to<torch::Tensor>;
             })
  Model(std::shared_ptr<M> m)
      : Model(m, [m](const Inputs& x) -> torch::Tensor { return m->forward(x.at(0)); }) {}

  /// torch's holders: nn::Linear, nn::Sequential, a TORCH_MODULE of the user's own.
  template <class Holder>
    requires requires(Holder h, torch::Tensor x) {
      typename Holder::ContainedType;
      { h->forward(x) } -> std::convertible_to<torch::Tensor>;
    }
  Model(Holder h)
      : Model(h.ptr(), [h](const Inputs& x) mutable -> torch::Tensor { return h->forward(x.at(0)); }) {}

  torch::nn::Module& module() const { return *module_; }
  explicit operator bool() const { return static_cast<bool>(module_); }
  torch::Tensor forward(const Inputs& x) const { return forward_(x); }

  /// Groups of modules for discriminative learning rates, first the earliest; empty: one group of all
  /// parameters.
  std::vector<Modules> groups = {};
  /// How an export names this model, `{"kind": …}`; null: it cannot be exported. See `register_model_kind`.
  Json spec = nullptr;
  /// The model in two parts, which `quick_fit` needs: `features` gives a row of numbers an item (N x F), `head` makes
  /// of such rows what `forward` gives. The head's modules are the last of `groups`. Empty: there are no such parts.
  Forward features = {};
  Forward head = {};
  /// Gives up the model for a faster, re-entrant forward that is for inference only. May be empty.
  std::function<Forward()> optimize_for_inference = {};

 private:
  std::shared_ptr<torch::nn::Module> module_;
  Forward forward_;
};

/// Makes models of `spec["kind"] == kind` loadable from exports.
void register_model_kind(const std::string& kind, std::function<Model(const Json& spec)> make);
/// Builds the model that a spec describes, untrained. Throws `bad_model` for an unknown kind.
Model model_from_spec(const Json& spec);

}  // namespace kindling
