// The manifest and pipeline of a model file: any bytes give a pipeline or an Error.
#include <kindling/tabular.hpp>
#include <kindling/train/export.hpp>
#include <kindling/vision.hpp>

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using kindling::Json;
  try {
    const Json json = kindling::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
    kindling::Pipeline::from_json(json);
  } catch (const kindling::Error&) {
  }
  return 0;
}
