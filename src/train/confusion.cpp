#include "train/confusion.hpp"

#include "train/loss_parts.hpp"

#include <set>

namespace kindling::detail {

namespace {

/// Up to so many classes pairs are counted in one table; single pairs beyond.
constexpr std::int64_t table_classes = 1024;

}  // namespace

void Confusion::add(std::int64_t targ, std::int64_t pred, double n) {
  pairs_[{targ, pred}] += n;
  targets_[targ] += n;
  predicted_[pred] += n;
  total_ += n;
}

void Confusion::add(const torch::Tensor& pred, const torch::Tensor& targ) {
  if (pred.numel() != targ.numel()) throw shapes_differ(pred, targ);
  if (pred.numel() == 0) return;
  const auto flat = [](const torch::Tensor& x) {
    return x.detach().reshape({-1}).to(torch::kCPU, torch::kInt64).contiguous();
  };
  const torch::Tensor p = flat(pred), t = flat(targ);
  const auto largest = std::max(p.max().item<std::int64_t>(), t.max().item<std::int64_t>());
  const auto smallest = std::min(p.min().item<std::int64_t>(), t.min().item<std::int64_t>());
  if (smallest >= 0 && largest < table_classes) {
    const auto n = largest + 1;
    const torch::Tensor table = (t * n + p).bincount({}, n * n);
    const auto* counts = table.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < n * n; ++i) {
      if (counts[i] > 0) add(i / n, i % n, static_cast<double>(counts[i]));
    }
    return;
  }
  for (std::int64_t i = 0; i < p.numel(); ++i)
    add(t.const_data_ptr<std::int64_t>()[i], p.const_data_ptr<std::int64_t>()[i], 1);
}

double Confusion::count(std::int64_t targ, std::int64_t pred) const {
  const auto found = pairs_.find({targ, pred});
  return found == pairs_.end() ? 0 : found->second;
}

std::vector<std::int64_t> Confusion::labels() const {
  std::set<std::int64_t> all;
  for (const auto& [label, n] : predicted_) all.insert(label);
  for (const auto& [label, n] : targets_) all.insert(label);
  return {all.begin(), all.end()};
}

std::pair<torch::Tensor, torch::Tensor> decisions(const torch::Tensor& pred, const torch::Tensor& targ,
                                                  double thresh, bool sigmoid,
                                                  const std::vector<std::int64_t>& labels) {
  if (pred.sizes() != targ.sizes() || pred.dim() != 2) throw shapes_differ(pred, targ);
  torch::Tensor p = (sigmoid ? pred.detach().sigmoid() : pred.detach()) >= thresh;
  torch::Tensor t = targ.to(torch::kBool);
  if (labels.empty()) return {p, t};
  for (std::int64_t l : labels) {
    if (l >= 0 && l < p.size(1)) continue;
    throw Error(ErrorCode::usage, "a metric names a label that the model has no output for",
                {{"label", l}, {"outputs", p.size(1)}});
  }
  const torch::Tensor columns = torch::tensor(labels, torch::kInt64).to(p.device());
  return {p.index_select(1, columns), t.index_select(1, columns)};
}

}  // namespace kindling::detail
