#include <kindling/core/error.hpp>
#include <kindling/train/model.hpp>

#include <map>
#include <mutex>


namespace kindling {

namespace {

struct Kinds {
  std::mutex mutex;
  std::map<std::string, std::function<Model(const Json&)>> makers;
};

Kinds& kinds() {
  static Kinds k;
  return k;
}

}  // namespace

void register_model_kind(const std::string& kind, std::function<Model(const Json&)> make) {
  std::lock_guard lock(kinds().mutex);
  kinds().makers[kind] = std::move(make);
}

Model model_from_spec(const Json& spec) {
  const std::string kind = spec.is_object() ? spec.value("kind", "") : "";
  std::function<Model(const Json&)> make;
  {
    std::lock_guard lock(kinds().mutex);
    if (auto found = kinds().makers.find(kind); found != kinds().makers.end()) make = found->second;
  }
  if (!make) {
    throw Error(ErrorCode::bad_model, "the file holds a kind of model that this program does not know",
                {{"kind", kind}},
                "include the header of its application, or call register_model_kind before loading");
  }
  return make(spec);
}

}  // namespace kindling
