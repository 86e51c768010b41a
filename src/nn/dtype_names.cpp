#include "nn/dtype_names.hpp"

#include <algorithm>
#include <array>

namespace kindling::detail {

namespace {

struct DtypeName {
  std::string_view name;
  c10::ScalarType dtype;
};
constexpr std::array names{
    DtypeName{"F64", c10::ScalarType::Double}, DtypeName{"F32", c10::ScalarType::Float},
    DtypeName{"F16", c10::ScalarType::Half},   DtypeName{"BF16", c10::ScalarType::BFloat16},
    DtypeName{"I64", c10::ScalarType::Long},   DtypeName{"I32", c10::ScalarType::Int},
    DtypeName{"I16", c10::ScalarType::Short},  DtypeName{"I8", c10::ScalarType::Char},
    DtypeName{"U8", c10::ScalarType::Byte},    DtypeName{"BOOL", c10::ScalarType::Bool}};

}  // namespace

std::string_view safetensors_name(c10::ScalarType dtype) {
  const auto found = std::ranges::find(names, dtype, &DtypeName::dtype);
  return found == names.end() ? std::string_view{} : found->name;
}

std::optional<c10::ScalarType> dtype_of_safetensors(std::string_view name) {
  const auto found = std::ranges::find(names, name, &DtypeName::name);
  return found == names.end() ? std::nullopt : std::optional(found->dtype);
}

}  // namespace kindling::detail
