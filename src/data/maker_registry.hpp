#pragma once
/// Makers by name: how exports find the code that builds what they hold.

#include <kindling/core/json.hpp>

#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace kindling::detail {

/// Safe from several threads. `find` gives an empty function for an unknown name.
template <class T>
class MakerRegistry {
 public:
  using Maker = std::function<T(const Json&)>;

  static MakerRegistry& instance() {
    static MakerRegistry registry;
    return registry;
  }
  void add(const std::string& name, Maker make) {
    const std::lock_guard lock(mutex_);
    makers_[name] = std::move(make);
  }
  Maker find(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = makers_.find(name);
    return found == makers_.end() ? Maker() : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Maker> makers_;
};

}  // namespace kindling::detail
