#include "data/boxes.hpp"

#include <algorithm>

#include <torch/types.h>

namespace kindling::detail {

namespace {

template <class Kind>
Kind* first_of(Values& item) {
  for (Value& member : item) {
    if (auto* found = std::get_if<Kind>(&member)) return found;
  }
  return nullptr;
}

template <class Kind>
const Kind* first_of(const Values& item) {
  for (const Value& member : item) {
    if (const auto* found = std::get_if<Kind>(&member)) return found;
  }
  return nullptr;
}

std::int64_t rows_of(const TensorBBox& boxes) {
  return boxes.tensor.size(0);
}

/// Places of boxes that have an area.
std::vector<std::int64_t> with_area(const torch::Tensor& boxes) {
  const auto values = boxes.to(torch::kCPU, torch::kFloat32).contiguous();
  const auto* b = values.const_data_ptr<float>();
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < values.size(0); ++i, b += 4) {
    if ((b[2] - b[0]) * (b[3] - b[1]) > 0) kept.push_back(i);
  }
  return kept;
}

torch::Tensor take_rows(const torch::Tensor& tensor, const std::vector<std::int64_t>& rows) {
  return tensor.index_select(0, torch::tensor(rows, torch::kInt64).to(tensor.device()));
}

}  // namespace

void check_box_labels(const Values& item) {
  const auto* boxes = first_of<TensorBBox>(item);
  const auto* labels = first_of<CategoryIndices>(item);
  if (!boxes || !labels || rows_of(*boxes) == static_cast<std::int64_t>(labels->indices.size())) return;
  throw Error(ErrorCode::bad_data, "an item has another count of labels than of boxes",
              {{"boxes", rows_of(*boxes)}, {"labels", labels->indices.size()}},
              "give each box a label, in the order of the boxes");
}

std::vector<Values> clip_boxes(const std::vector<Values>& items) {
  if (!first_of<TensorBBox>(items.front())) return {};
  std::vector<Values> clipped = items;
  for (Values& item : clipped) {
    auto* boxes = first_of<TensorBBox>(item);
    if (!boxes) continue;
    auto inside = boxes->tensor.clamp(-1, 1);
    const auto kept = with_area(inside);
    auto* labels = first_of<CategoryIndices>(item);
    if (labels && rows_of(*boxes) == static_cast<std::int64_t>(labels->indices.size())) {
      CategoryIndices left;
      for (std::int64_t i : kept) left.indices.push_back(labels->indices[i]);
      *labels = std::move(left);
    }
    boxes->tensor = take_rows(inside, kept);
  }
  return clipped;
}

void strip_box_padding(Values& item) {
  auto* boxes = first_of<TensorBBox>(item);
  if (!boxes || boxes->tensor.dim() != 2) return;
  const auto kept = with_area(boxes->tensor);
  auto* labels = first_of<TensorMultiCategory>(item);
  if (labels && labels->tensor.dim() == 1 && labels->tensor.size(0) == rows_of(*boxes))
    labels->tensor = take_rows(labels->tensor, kept);
  boxes->tensor = take_rows(boxes->tensor, kept);
}

}  // namespace kindling::detail
