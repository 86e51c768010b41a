#include <kindling/data/transform.hpp>

#include "data/maker_registry.hpp"

#include <algorithm>

namespace kindling {

Json Transform::to_json() const {
  if (name().empty()) {
    throw Error(ErrorCode::usage, "a transform without a name cannot be exported", {{"type", type().name()}},
                "give its struct `static constexpr const char* name` and call register_transform");
  }
  Json json = {{"name", name()}};
  json.update(self_->settings());
  return json;
}

Transforms merge_transforms(const Transforms& first, const Transforms& second) {
  Transforms merged;
  for (const Transforms* list : {&first, &second}) {
    for (const Transform& t : *list) {
      auto same = std::find_if(merged.begin(), merged.end(),
                               [&](const Transform& m) { return m.type() == t.type(); });
      if (same == merged.end())
        merged.push_back(t);
      else
        *same = t;
    }
  }
  std::stable_sort(merged.begin(), merged.end(),
                   [](const Transform& a, const Transform& b) { return a.order() < b.order(); });
  return merged;
}

void register_transform(const std::string& name, std::function<Transform(const Json&)> make) {
  detail::MakerRegistry<Transform>::instance().add(name, std::move(make));
}

Transform transform_from_json(const Json& json) {
  const std::string name = json.value("name", "");
  const auto make = detail::MakerRegistry<Transform>::instance().find(name);
  if (!make) {
    throw Error(ErrorCode::not_found, "no transform is registered under this name", {{"name", name}},
                "include the header of its application, or call register_transform before loading");
  }
  return make(json);
}

}  // namespace kindling
