#include <kindling/core/error.hpp>
#include <kindling/train/metrics.hpp>

#include <limits>
#include <vector>

#include <torch/types.h>

namespace kindling {

/// Mean over the batches, weighted by their sizes (fastai `AvgMetric`).
struct Metric::Average final : Metric::Concept {
  Average(std::string n, Fn f) : fn(std::move(f)) { name = std::move(n); }
  void reset() override {
    total = torch::Tensor();
    count = 0;
  }
  void accumulate(const torch::Tensor& pred, const torch::Tensor& targ) override {
    const std::int64_t n = targ.size(0);
    // Stays on the device: a value is fetched once an epoch, not once a batch.
    auto weighted = fn(pred, targ).detach().to(pred.is_mps() ? torch::kFloat32 : torch::kFloat64) * n;
    total = total.defined() ? total + weighted : weighted;
    count += n;
  }
  double value() const override {
    if (!total.defined()) return std::numeric_limits<double>::quiet_NaN();
    return total.item<double>() / static_cast<double>(count);
  }
  std::shared_ptr<Concept> clone() const override { return std::make_shared<Average>(name, fn); }

  Fn fn;
  torch::Tensor total;
  std::int64_t count = 0;
};

Metric::Metric(std::string name, Fn fn) : self_(std::make_shared<Average>(std::move(name), std::move(fn))) {}

double Metric::operator()(const torch::Tensor& pred, const torch::Tensor& targ) const {
  auto once = self_->clone();
  once->reset();
  once->accumulate(pred, targ);
  return once->value();
}

namespace {

torch::Tensor part_right(const torch::Tensor& pred, const torch::Tensor& targ) {
  return (pred.argmax(-1) == targ).to(torch::kFloat32).mean();
}

}  // namespace

const Metric accuracy("accuracy", part_right);
const Metric error_rate("error_rate", [](const torch::Tensor& pred, const torch::Tensor& targ) {
  return 1 - part_right(pred, targ);
});

Metric top_k_accuracy(int k) {
  if (k < 1) throw Error(ErrorCode::usage, "top_k_accuracy needs a k of at least 1", {{"k", k}});
  return Metric("top_k_accuracy", [k](const torch::Tensor& pred, const torch::Tensor& targ) {
    auto top = std::get<1>(pred.topk(std::min<std::int64_t>(k, pred.size(-1)), -1));
    return (top == targ.unsqueeze(-1)).any(-1).to(torch::kFloat32).mean();
  });
}

Metric metric_from_name(const std::string& name) {
  const std::vector<std::string> known = {"accuracy", "error_rate", "top_k_accuracy"};
  if (name == known[0]) return accuracy;
  if (name == known[1]) return error_rate;
  if (name == known[2]) return top_k_accuracy();
  throw Error(ErrorCode::usage, "there is no metric of this name", {{"name", name}},
              "known: accuracy, error_rate, top_k_accuracy" + did_you_mean(name, known));
}

}  // namespace kindling
