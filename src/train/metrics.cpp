#include <kindling/core/error.hpp>
#include <kindling/train/metrics.hpp>

#include <cmath>
#include <limits>

#include <torch/types.h>

namespace kindling {

using torch::Tensor;

/// Mean over the batches, weighted by their sizes (fastai `AvgMetric`).
struct Metric::Average final : Metric::Concept {
  Average(std::string n, Fn f) : fn(std::move(f)) { name = std::move(n); }
  void reset() override {
    total = Tensor();
    count = 0;
  }
  void accumulate(const Tensor& pred, const Targets& targs) override {
    const std::int64_t n = targs.front().size(0);
    // Stays on the device: a value is fetched once an epoch, not once a batch.
    auto weighted = fn(pred, targs).detach().to(pred.is_mps() ? torch::kFloat32 : torch::kFloat64) * n;
    total = total.defined() ? total + weighted : weighted;
    count += n;
  }
  double value() const override {
    if (!total.defined()) return std::numeric_limits<double>::quiet_NaN();
    return total.item<double>() / static_cast<double>(count);
  }
  std::shared_ptr<Concept> clone() const override { return std::make_shared<Average>(name, fn); }

  Fn fn;
  Tensor total;
  std::int64_t count = 0;
};

std::shared_ptr<Metric::Concept> Metric::averaged(std::string name, Fn fn) {
  return std::make_shared<Average>(std::move(name), std::move(fn));
}

Metric Metric::fresh() const {
  auto copy = self_->clone();
  copy->reset();
  return Metric(std::move(copy));
}

double Metric::operator()(const Tensor& pred, const Tensor& targ) const {
  const Metric once = fresh();
  once.accumulate(pred, targ);
  return once.value();
}

namespace {

Tensor part_right(const Tensor& pred, const Tensor& targ, int axis) {
  const Tensor best = pred.argmax(axis);
  return (best == targ.reshape(best.sizes())).to(torch::kFloat32).mean();
}

/// As many values, in one dtype.
template <class Compute>
auto over_values(Compute compute) {
  return [compute](const Tensor& pred, const Tensor& targ) -> Tensor {
    return compute(pred.reshape({-1}), targ.reshape({-1}).to(pred.scalar_type()));
  };
}

/// exp of the loss, averaged over the batches by their sizes.
struct ExpLoss {
  std::string name = "perplexity";
  LossFunction loss;
  double total = 0;
  std::int64_t count = 0;
  void reset() { total = 0, count = 0; }
  void accumulate(const Tensor& pred, const LossFunction::Targets& targs) {
    const std::int64_t n = targs.front().size(0);
    total += loss(pred, targs).item<double>() * static_cast<double>(n);
    count += n;
  }
  double value() const {
    return count ? std::exp(total / static_cast<double>(count)) : std::numeric_limits<double>::quiet_NaN();
  }
};

}  // namespace

const Metric accuracy = accuracy_along(-1);
const Metric error_rate = error_rate_along(-1);

Metric accuracy_along(int axis) {
  return Metric("accuracy",
                [axis](const Tensor& pred, const Tensor& targ) { return part_right(pred, targ, axis); });
}

Metric error_rate_along(int axis) {
  return Metric("error_rate",
                [axis](const Tensor& pred, const Tensor& targ) { return 1 - part_right(pred, targ, axis); });
}

Metric top_k_accuracy(int k) {
  if (k < 1) throw Error(ErrorCode::usage, "top_k_accuracy needs a k of at least 1", {{"k", k}});
  return Metric("top_k_accuracy", [k](const Tensor& pred, const Tensor& targ) {
    auto top = std::get<1>(pred.topk(std::min<std::int64_t>(k, pred.size(-1)), -1));
    return (top == targ.unsqueeze(-1)).any(-1).to(torch::kFloat32).mean();
  });
}

Metric Perplexity(LossFunction loss) {
  return ExpLoss{.loss = std::move(loss)};
}

Metric accuracy_multi(const AccuracyMultiOptions& o) {
  return Metric("accuracy_multi", [o](const Tensor& pred, const Tensor& targ) {
    const Tensor probs = (o.sigmoid ? pred.sigmoid() : pred).reshape({-1});
    return ((probs > o.thresh) == targ.reshape({-1}).to(torch::kBool)).to(torch::kFloat32).mean();
  });
}

const Metric mse("mse", over_values([](const Tensor& p, const Tensor& t) { return (p - t).square().mean(); }));
const Metric mae("mae", over_values([](const Tensor& p, const Tensor& t) { return (p - t).abs().mean(); }));
const Metric msle("msle", over_values([](const Tensor& p, const Tensor& t) {
                    return ((1 + p).log() - (1 + t).log()).square().mean();
                  }));

}  // namespace kindling
