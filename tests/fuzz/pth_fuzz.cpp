/// Any bytes as a `.pth` file, and as the part of a pre-zip file after its head: an Error, or tensors that
/// can be read.
#include <kindling/core/error.hpp>
#include <kindling/nn/weights.hpp>

#include <cstring>
#include <vector>

#include <ATen/ATen.h>

namespace {

// Broadcast tensors of a few bytes may say millions of elements; making them dense is slow and finds nothing.
constexpr std::int64_t most_elements = 1 << 16;

void read(const std::vector<std::uint8_t>& bytes) {
  try {
    const auto weights = kindling::read_pth(bytes, "fuzz");
    for (const auto& [name, tensor] : weights.tensors()) {
      if (tensor.numel() > most_elements) continue;
      const auto dense = tensor.contiguous();
      const auto* data = static_cast<const unsigned char*>(dense.const_data_ptr());
      volatile std::size_t sum = 0;
      for (std::size_t i = 0; i < dense.nbytes(); ++i) sum = sum + data[i];
    }
  } catch (const kindling::Error&) {
    // What a hostile file deserves.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constexpr char head[] =
      "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
      "\x80\x02M\xe9\x03."
      "\x80\x02}U\rlittle_endian\x88s.";
  std::vector<std::uint8_t> bytes(data, data + size);
  read(bytes);
  bytes.insert(bytes.begin(), head, head + sizeof head - 1);
  read(bytes);
  return 0;
}
