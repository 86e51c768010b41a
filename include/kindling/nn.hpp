#pragma once
/// Models, heads, weights in and out, and torch's layers for nets of your own, which take some seconds to compile: the other
/// headers leave them out.
#include <kindling/nn/head.hpp>
#include <kindling/nn/models.hpp>
#include <kindling/nn/registry.hpp>
#include <kindling/nn/weights.hpp>

#include <torch/nn.h>

namespace kindling {
namespace nn = torch::nn;
}
