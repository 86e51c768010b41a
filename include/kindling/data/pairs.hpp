#pragma once
/// Data that is in memory already: tensors of inputs and targets, or any list of pairs.
///
///   DataLoaders dls(pair_loader(train_x, train_y, {.bs = 256, .shuffle = true}),
///                   pair_loader(valid_x, valid_y, {.bs = 256}));
///   Learner learn(dls, nn::Linear(784, 1), {.loss_func = mnist_loss});

#include <kindling/data/dataloader.hpp>

#include <concepts>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <torch/types.h>

namespace kindling {

/// A data set that makes a whole batch at once. The loader asks for batches, in the caller's thread, where the
/// pipeline has no transforms for single items; otherwise for items, as of any other data set.
class BatchDataset : public Dataset {
 public:
  /// Collated members of the items of these places.
  virtual Values batch(std::span<const std::int64_t> items) const = 0;
};

/// Tensors that each hold one member of all items: item i is (tensors[0][i], tensors[1][i], …). A batch of
/// neighbours is a view of them, any other is gathered at once.
class TensorDataset final : public BatchDataset {
 public:
  /// Throws `usage` without tensors, `bad_data` where they hold different numbers of items.
  explicit TensorDataset(std::vector<torch::Tensor> tensors);
  std::int64_t size() const override { return tensors_.front().size(0); }
  Values raw(std::int64_t index) const override;
  /// Its place: these items have no name.
  Value item(std::int64_t index) const override { return Number{static_cast<double>(index)}; }
  Values batch(std::span<const std::int64_t> items) const override;
  const std::vector<torch::Tensor>& tensors() const { return tensors_; }

 private:
  std::vector<torch::Tensor> tensors_;
};

/// Items as lists of their members.
class ListDataset final : public Dataset {
 public:
  explicit ListDataset(std::vector<Values> items) : items_(std::move(items)) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(items_.size()); }
  Values raw(std::int64_t index) const override { return items_[index]; }
  Value item(std::int64_t index) const override { return Number{static_cast<double>(index)}; }

 private:
  std::vector<Values> items_;
};

/// A member of an item as a value: whole numbers (and bools) become 0-d tensors of int64 (bool), so that a batch of
/// them is one, as in PyTorch; other numbers become `Number` (a batch: float32); the rest stays what it is.
template <class T>
Value to_member(const T& member) {
  if constexpr (std::same_as<T, bool>)
    return torch::scalar_tensor(member, torch::kBool);
  else if constexpr (std::integral<T>)
    return torch::scalar_tensor(static_cast<std::int64_t>(member), torch::kInt64);
  else if constexpr (std::floating_point<T>)
    return Number{static_cast<double>(member)};
  else
    return Value(member);
}

/// A loader of (x[i], y[i]), for tensors of equally many items: x is the model's input, y the target. Its batches
/// are made in the caller's thread.
DataLoader pair_loader(const torch::Tensor& x, const torch::Tensor& y, DataLoaderOptions options = {});

/// The same of items with these members; the first is the input. Tensors of one shape are stacked once, here.
DataLoader item_loader(std::vector<Values> items, DataLoaderOptions options = {});

/// The same of any list of pairs (`std::vector`, a map, a view): of tensors, pictures, numbers …
template <class Pairs>
  requires requires(const Pairs& pairs) {
    pairs.begin()->first;
    pairs.begin()->second;
  }
DataLoader pair_loader(const Pairs& pairs, DataLoaderOptions options = {}) {
  std::vector<Values> items;
  for (const auto& [x, y] : pairs) items.push_back({to_member(x), to_member(y)});
  return item_loader(std::move(items), options);
}

}  // namespace kindling
