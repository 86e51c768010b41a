#include <kindling/core/error.hpp>
#include <kindling/train/model.hpp>

#include "data/maker_registry.hpp"

namespace kindling {

void register_model_kind(const std::string& kind, std::function<Model(const Json&)> make) {
  detail::MakerRegistry<Model>::instance().add(kind, std::move(make));
}

Model model_from_spec(const Json& spec) {
  const std::string kind = spec.is_object() ? spec.value("kind", "") : "";
  const auto make = detail::MakerRegistry<Model>::instance().find(kind);
  if (!make) {
    throw Error(ErrorCode::bad_model, "the file holds a kind of model that this program does not know",
                {{"kind", kind}},
                "include the header of its application, or call register_model_kind before loading");
  }
  return make(spec);
}

}  // namespace kindling
