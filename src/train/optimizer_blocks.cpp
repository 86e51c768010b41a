#include "train/optimizer_blocks.hpp"

#include "nn/parallel_for.hpp"

#include <algorithm>

#include <torch/utils.h>

namespace kindling::detail {

namespace {

using Tensors = std::vector<torch::Tensor>;

/// Five floats an element (parameter, gradient, two averages, one result) fit half a megabyte of second-level cache.
constexpr std::int64_t block_elements = 32768;

struct Block {
  std::size_t tensor;
  std::int64_t begin, size;

  /// Elements lie densely: in memory's order they are one row, whatever the layout.
  torch::Tensor of(const Tensors& whole) const {
    const torch::Tensor& t = whole[tensor];
    return size == t.numel() ? t : t.as_strided({size}, {1}, t.storage_offset() + begin);
  }
};

std::vector<Block> blocks_of(const Tensors& tensors) {
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    for (std::int64_t begin = 0, n = tensors[i].numel(); begin < n; begin += block_elements)
      blocks.push_back({i, begin, std::min(block_elements, n - begin)});
  }
  return blocks;
}

bool on_cpu(const Tensors& tensors) {
  return std::all_of(tensors.begin(), tensors.end(), [](const auto& t) { return t.is_cpu(); });
}

template <class Body>
void over(std::size_t n, const Body& body) {
  parallel_for(0, static_cast<std::int64_t>(n), 1, [&](std::int64_t begin, std::int64_t end) {
    const torch::NoGradGuard no_grad;  // the caller's holds in its own thread only
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) body(i);
  });
}

}  // namespace

void by_blocks(const Tensors& params, const std::function<void(const BlockOf&)>& formula) {
  if (!on_cpu(params)) return formula([](const Tensors& whole) { return whole; });
  const auto blocks = blocks_of(params);
  over(blocks.size(), [&](std::size_t i) {
    formula([&](const Tensors& whole) { return Tensors{blocks[i].of(whole)}; });
  });
}

torch::Tensor norms(const Tensors& tensors) {
  if (!on_cpu(tensors)) return torch::stack(at::_foreach_norm(tensors, 2));
  const auto blocks = blocks_of(tensors);
  std::vector<double> of_blocks(blocks.size()), sums(tensors.size());
  over(blocks.size(), [&](std::size_t i) {
    const torch::Tensor block = blocks[i].of(tensors);
    const bool is_half = block.scalar_type() == torch::kHalf || block.scalar_type() == torch::kBFloat16;
    of_blocks[i] = (is_half ? block.to(torch::kFloat32) : block).norm().item<double>();
  });
  for (std::size_t i = 0; i < blocks.size(); ++i) sums[blocks[i].tensor] += of_blocks[i] * of_blocks[i];
  return torch::tensor(sums, torch::kFloat64).sqrt_();
}

}  // namespace kindling::detail
