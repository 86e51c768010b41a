/// Any bytes as a safetensors file: an Error, or tensors whose every byte can be read.
#include <kindling/core/error.hpp>
#include <kindling/nn/weights.hpp>

#include <cstring>

#include <ATen/ATen.h>

namespace {

/// Reads every byte, so that the sanitizer sees a view that leaves the file.
std::size_t touch(const kindling::Weights& weights) {
  std::size_t sum = 0;
  for (const auto& [name, tensor] : weights.tensors()) {
    const auto* data = static_cast<const unsigned char*>(tensor.const_data_ptr());
    for (std::size_t i = 0; i < tensor.nbytes(); ++i) sum += data[i];
    if (!weights.contains(name)) __builtin_trap();
  }
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A buffer of the exact size, aligned as a mapped file is.
  const std::shared_ptr<std::uint8_t> copy(new std::uint8_t[size], std::default_delete<std::uint8_t[]>());
  if (size > 0) std::memcpy(copy.get(), data, size);
  try {
    volatile std::size_t sum = touch(kindling::read_safetensors({copy.get(), size}, copy, "fuzz"));
    (void)sum;
  } catch (const kindling::Error&) {
    // What a hostile file deserves.
  }
  return 0;
}
