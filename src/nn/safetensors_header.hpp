#pragma once
/// The JSON header of a safetensors file, parsed strictly.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kindling::detail {

struct SafetensorsEntry {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  ///< from the start of the data
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  ///< in the header's order
  std::map<std::string, std::string> metadata;
};

/// Throws `bad_weights` for anything but an object of tensors {"dtype", "shape", "data_offsets"} with an
/// optional
/// "__metadata__" of strings; a key that stands twice is an error. `at` is the header's offset in the file.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t at, const std::string& where);

}  // namespace kindling::detail
