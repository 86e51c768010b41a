#include <kindling/data/device.hpp>

#include <torch/cuda.h>

namespace kindling {

torch::Device default_device() {
  return torch::cuda::is_available() ? torch::kCUDA : torch::kCPU;
}

}  // namespace kindling
