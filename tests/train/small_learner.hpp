#pragma once
/// Learners over tensors in memory, in order, for tests of the loop.

#include <kindling/train/learner.hpp>

namespace kindling::testing {

struct Pairs final : Dataset {
  torch::Tensor x, y;
  Pairs(torch::Tensor xs, torch::Tensor ys) : x(std::move(xs)), y(std::move(ys)) {}
  std::int64_t size() const override { return x.size(0); }
  Values raw(std::int64_t i) const override {
    if (y.scalar_type() == torch::kInt64) return {x[i], CategoryIndex{y[i].item<std::int64_t>()}};
    return {x[i], y[i]};
  }
  Value item(std::int64_t i) const override { return Number{static_cast<double>(i)}; }
};

/// Batches of `bs` training items; the first batch is the validation set.
inline DataLoaders pair_loaders(const torch::Tensor& x, const torch::Tensor& y, int bs, bool shuffle = false) {
  auto pipeline = std::make_shared<Pipeline>(Pipeline{.blocks = {{}, {}}, .target = TargetKind::category});
  return DataLoaders(
      DataLoader(std::make_shared<Pairs>(x, y), pipeline,
                 {.bs = bs, .shuffle = shuffle, .drop_last = shuffle, .num_workers = 0, .split = Split::train}),
      DataLoader(std::make_shared<Pairs>(x.narrow(0, 0, bs), y.narrow(0, 0, bs)), pipeline,
                 {.bs = bs, .num_workers = 0}));
}

}  // namespace kindling::testing
