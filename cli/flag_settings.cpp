#include "cli/flag_settings.hpp"

#include <kindling/core/error.hpp>

#include <algorithm>

namespace kindling::cli {

Json FlagSettings::to_json() const {
  Json json = Json::object();
  for (const Setting& s : settings_) json[s.key] = s.get();
  return json;
}

void FlagSettings::take_but(const Json& settings, const std::function<bool(const std::string&)>& stays) {
  for (const Setting& s : settings_) {
    if (s.option->count() > 0 || !settings.contains(s.key) || stays(s.key)) continue;
    try {
      s.set(settings.at(s.key));
    } catch (const Json::exception&) {
      throw Error(ErrorCode::bad_data, "a setting in the run's run.json is of a wrong kind",
                  {{"setting", s.key}, {"value", settings.at(s.key).dump()}}, "begin a run with flags of your own");
    }
  }
}

void FlagSettings::demand_none_given() const {
  for (const Setting& s : settings_) {
    // A device is where something is learnt, not what.
    if (s.option->count() == 0 || s.key == "device") continue;
    throw Error(ErrorCode::usage, "a run that goes on keeps its settings", {{"flag", s.option->get_name()}},
                "leave the flag out, or begin a new run from this one's settings: --like RUN");
  }
}

bool FlagSettings::given(const std::string& key) const {
  return std::any_of(settings_.begin(), settings_.end(),
                     [&](const Setting& s) { return s.key == key && s.option->count() > 0; });
}

}  // namespace kindling::cli
