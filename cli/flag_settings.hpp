#pragma once
/// Flags as settings of a run: kept in run.json, and read back from there.

#include <kindling/core/json.hpp>

#include "cli/command.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kindling::cli {

/// A flag's value in run.json; null for one that was left out.
template <class T>
Json setting_to_json(const T& value) {
  return value;
}
template <class T>
Json setting_to_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

template <class T>
void setting_from_json(const Json& json, T& value) {
  value = json.get<T>();
}
template <class T>
void setting_from_json(const Json& json, std::optional<T>& value) {
  if (json.is_null())
    value.reset();
  else
    value = json.get<T>();
}

/// Every setting that decides what a run learns, with the flag that sets it. The values must outlive it.
class FlagSettings {
 public:
  virtual ~FlagSettings() = default;
  template <class T>
  void add(CLI::Option* option, const std::string& key, T& value) {
    settings_.push_back({key, option, [&value] { return setting_to_json(value); },
                         [&value](const Json& json) { setting_from_json(json, value); }});
  }

  /// What run.json keeps.
  Json to_json() const;
  /// Takes the settings of another run, but for those whose flags were given.
  virtual void take(const Json& settings) { take_but(settings, [](const std::string&) { return false; }); }
  /// Throws `usage` where a flag was given that changes what is learnt: a run that goes on keeps its settings, but for
  /// its device.
  void demand_none_given() const;
  /// Whether the flag of that setting was given.
  bool given(const std::string& key) const;

 protected:
  /// The same, without those that `stays` names.
  void take_but(const Json& settings, const std::function<bool(const std::string& key)>& stays);

 private:
  struct Setting {
    std::string key;
    CLI::Option* option;
    std::function<Json()> get;
    std::function<void(const Json&)> set;
  };
  std::vector<Setting> settings_;
};

}  // namespace kindling::cli
