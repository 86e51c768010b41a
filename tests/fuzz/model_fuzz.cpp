// The manifest and pipeline of a model file: any bytes give a pipeline or an Error.
#include <kindling/train/export.hpp>
#include <kindling/vision/learner.hpp>

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kindling;
  detail::register_vision();
  try {
    const Json json = parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
    Pipeline::from_json(json);
  } catch (const Error&) {
  }
  return 0;
}
