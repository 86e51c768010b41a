#pragma once
// Which modules count as norm layers (fastai `norm_types`).

#include <torch/nn/module.h>

namespace kindling::detail {

bool is_norm(const torch::nn::Module& module);

}  // namespace kindling::detail
