#pragma once
/// What the table shows beside the losses.

#include <concepts>
#include <functional>
#include <memory>
#include <string>

#include <torch/types.h>

namespace kindling {

/// Handle of a metric. A plain function of prediction and target that gives a scalar is averaged over the
/// batches, weighted by their sizes; `{"my_name", function}` names its column. A type with `reset()`,
/// `accumulate(pred, targ)`, `value()` and `name` keeps its own count.
class Metric {
 public:
  using Fn = std::function<torch::Tensor(const torch::Tensor& pred, const torch::Tensor& targ)>;

  Metric(std::string name, Fn fn);
  template <class F>
    requires std::is_invocable_r_v<torch::Tensor, F, const torch::Tensor&, const torch::Tensor&>
  Metric(F f) : Metric("metric", Fn(std::move(f))) {}
  template <class T>
    requires requires(T t, const torch::Tensor& x) {
      t.reset();
      t.accumulate(x, x);
      { t.value() } -> std::convertible_to<double>;
      { T::name } -> std::convertible_to<std::string>;
    }
  Metric(T t) : self_(std::make_shared<Holder<T>>(std::move(t))) {}

  const std::string& name() const { return self_->name; }
  void reset() const { self_->reset(); }
  void accumulate(const torch::Tensor& pred, const torch::Tensor& targ) const {
    self_->accumulate(pred, targ);
  }
  /// NaN before anything was accumulated.
  double value() const { return self_->value(); }
  /// On one batch, without touching the count: `error_rate(pred, targ)`.
  double operator()(const torch::Tensor& pred, const torch::Tensor& targ) const;
  /// A metric of the same kind with a count of its own.
  Metric fresh() const { return Metric(self_->clone()); }

 private:
  struct Concept {
    std::string name;
    virtual ~Concept() = default;
    virtual void reset() = 0;
    virtual void accumulate(const torch::Tensor& pred, const torch::Tensor& targ) = 0;
    virtual double value() const = 0;
    virtual std::shared_ptr<Concept> clone() const = 0;
  };
  template <class T>
  struct Holder final : Concept {
    explicit Holder(T t) : held(std::move(t)) { this->name = T::name; }
    void reset() override { held.reset(); }
    void accumulate(const torch::Tensor& pred, const torch::Tensor& targ) override {
      held.accumulate(pred, targ);
    }
    double value() const override { return held.value(); }
    std::shared_ptr<Concept> clone() const override { return std::make_shared<Holder>(held); }
    T held;
  };
  struct Average;
  explicit Metric(std::shared_ptr<Concept> self) : self_(std::move(self)) {}
  std::shared_ptr<Concept> self_;
};

/// Part of the items whose largest output is at the target: N x C and N.
extern const Metric accuracy;
/// 1 - accuracy.
extern const Metric error_rate;
/// Part of the items whose target is among the k largest outputs.
Metric top_k_accuracy(int k = 5);

/// By the course's name ("accuracy", "error_rate", "top_k_accuracy"). Throws `usage` naming the known ones.
Metric metric_from_name(const std::string& name);

}  // namespace kindling
