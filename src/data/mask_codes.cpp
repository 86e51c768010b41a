#include <kindling/core/error.hpp>
#include <kindling/data/mask_codes.hpp>

#include <array>

namespace kindling {

MaskCodes::MaskCodes(std::vector<std::string> codes, int void_value)
    : codes_(std::move(codes)), void_value_(void_value) {
  if (codes_.size() > 256)
    throw Error(ErrorCode::limit, "a mask has at most 256 classes", {{"codes", codes_.size()}});
}

Mask MaskCodes::encodes(const Mask& mask) const {
  if (codes_.empty()) return mask;
  std::array<bool, 256> used{};
  for (std::size_t i = 0; i < mask.image.bytes(); ++i) used[mask.image.data()[i]] = true;
  for (int value = static_cast<int>(codes_.size()); value < 256; ++value) {
    if (!used[value] || value == void_value_) continue;
    throw Error(ErrorCode::bad_data, "a mask has a value that is no class",
                {{"value", value}, {"classes", codes_.size()}},
                "name every class in .codes; say .void_value for pixels that belong to none; a mask must be saved without "
                "loss (PNG)");
  }
  return mask;
}

MaskCodes MaskCodes::from_json(const Json& json) {
  return MaskCodes(json.at("codes").get<std::vector<std::string>>(), json.at("void_value").get<int>());
}

}  // namespace kindling
