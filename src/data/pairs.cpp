#include <kindling/core/error.hpp>
#include <kindling/data/pairs.hpp>

#include <optional>

#include <torch/types.h>

namespace kindling {
namespace {

bool are_neighbours(std::span<const std::int64_t> items) {
  for (std::size_t i = 1; i < items.size(); ++i)
    if (items[i] != items[0] + static_cast<std::int64_t>(i)) return false;
  return true;
}

/// All items' tensors of one member, stacked; nothing where it is no tensor or of several shapes or types.
std::optional<torch::Tensor> stacked(const std::vector<Values>& items, std::size_t member) {
  std::vector<torch::Tensor> tensors;
  for (const Values& item : items) {
    auto* tensor = std::get_if<torch::Tensor>(&item[member]);
    if (!tensor) return std::nullopt;
    tensors.push_back(*tensor);
    if (tensor->sizes() != tensors[0].sizes() || tensor->dtype() != tensors[0].dtype()) return std::nullopt;
  }
  return torch::stack(tensors);
}

std::shared_ptr<const Dataset> dataset_of(std::vector<Values> items) {
  std::vector<torch::Tensor> members;
  for (std::size_t m = 0; !items.empty() && m < items[0].size(); ++m) {
    auto tensor = stacked(items, m);
    if (!tensor) return std::make_shared<ListDataset>(std::move(items));
    members.push_back(*tensor);
  }
  if (members.empty()) return std::make_shared<ListDataset>(std::move(items));
  return std::make_shared<TensorDataset>(std::move(members));
}

DataLoader loader_of(std::shared_ptr<const Dataset> dataset, DataLoaderOptions options) {
  // A batch of what is in memory is made before a thread for it would be running.
  if (options.num_workers < 0) options.num_workers = 0;
  auto pipeline = std::make_shared<Pipeline>(Pipeline{.blocks = {{}, {}}, .target = TargetKind::other});
  return DataLoader(std::move(dataset), std::move(pipeline), options);
}

}  // namespace

TensorDataset::TensorDataset(std::vector<torch::Tensor> tensors) : tensors_(std::move(tensors)) {
  if (tensors_.empty()) throw Error(ErrorCode::usage, "a data set needs at least one tensor");
  for (const auto& t : tensors_) {
    if (!t.defined() || t.dim() == 0)
      throw Error(ErrorCode::usage, "a data set's tensors need a first dimension: that of the items");
    if (t.size(0) == tensors_[0].size(0)) continue;
    throw Error(ErrorCode::bad_data, "the tensors of a data set hold different numbers of items",
                {{"first", tensors_[0].size(0)}, {"other", t.size(0)}},
                "inputs and targets belong together item by item: give as many of one as of the other");
  }
}

Values TensorDataset::raw(std::int64_t index) const {
  Values members;
  for (const auto& t : tensors_) members.push_back(t[index]);
  return members;
}

Values TensorDataset::batch(std::span<const std::int64_t> items) const {
  Values members;
  if (are_neighbours(items)) {
    const std::int64_t first = items.empty() ? 0 : items[0];
    for (const auto& t : tensors_) members.push_back(t.narrow(0, first, static_cast<std::int64_t>(items.size())));
    return members;
  }
  auto index = torch::tensor(at::IntArrayRef(items.data(), items.size()), torch::kInt64);
  for (const auto& t : tensors_) members.push_back(t.index_select(0, index.to(t.device())));
  return members;
}

DataLoader pair_loader(const torch::Tensor& x, const torch::Tensor& y, DataLoaderOptions options) {
  return loader_of(std::make_shared<TensorDataset>(std::vector{x, y}), options);
}

DataLoader item_loader(std::vector<Values> items, DataLoaderOptions options) {
  for (const Values& item : items) {
    if (item.size() == items[0].size()) continue;
    throw Error(ErrorCode::bad_data, "the items of a list have different numbers of members",
                {{"item", &item - items.data()}, {"expected", items[0].size()}, {"got", item.size()}});
  }
  return loader_of(dataset_of(std::move(items)), options);
}

}  // namespace kindling
