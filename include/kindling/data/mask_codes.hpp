#pragma once
/// The classes of a mask's pixels.

#include <kindling/data/transform.hpp>

namespace kindling {

/// Names the classes 0, 1, 2 … of masks; they are the target's vocabulary. Throws `bad_data` for a mask with a value that
/// has no name, unless it is `void_value`: pixels that belong to no class.
class MaskCodes {
 public:
  static constexpr const char* name = "MaskCodes";
  static constexpr int order = 0;
  /// Without names nothing is checked, and a model's outputs must be said.
  explicit MaskCodes(std::vector<std::string> codes = {}, int void_value = -1);

  Mask encodes(const Mask& mask) const;
  std::vector<std::string> vocab() const { return codes_; }
  Json to_json() const { return {{"codes", codes_}, {"void_value", void_value_}}; }
  static MaskCodes from_json(const Json& json);

 private:
  std::vector<std::string> codes_;
  int void_value_;
};

}  // namespace kindling
