#pragma once
/// From an item to its label, or to any other member of it.

#include <kindling/data/items.hpp>

#include <functional>
#include <memory>
#include <string>

namespace kindling {

/// Name of the folder that holds the file.
struct ParentLabel {
  std::string operator()(const fs::path& path) const { return path.parent_path().filename().string(); }
};
inline constexpr ParentLabel parent_label{};

/// First group of a regular expression (ECMAScript, searched for; with `match` it must fit from the
/// beginning) in the path with forward slashes. Throws `bad_data` naming pattern and path when it does not
/// fit, `usage` for a bad pattern.
class RegexLabeller {
 public:
  explicit RegexLabeller(const std::string& pattern, bool match = false);
  std::string operator()(const fs::path& path) const;
  /// The same on a text, e.g. a file's name.
  std::string operator()(const std::string& text) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

/// A member of an item: any function of the path (or of the whole value) that gives a label (text), a number,
/// a path, or a value. Text becomes a Category.
class Getter {
 public:
  Getter() = default;
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, Getter> &&
             (std::invocable<F, const Value&> || std::invocable<F, const fs::path&>))
  Getter(F f)
      : get_([f](const Value& item) -> Value {
          // A path converts to a Value, so that a function of values would also take a path.
          if constexpr (std::invocable<F, const Value&>)
            return wrap(f(item));
          else
            return wrap(f(path_of(item)));
        }) {}
  explicit operator bool() const { return static_cast<bool>(get_); }
  /// Errors and other exceptions of the function come out as `Error` with the fact "item".
  Value operator()(const Value& item) const;

 private:
  static const fs::path& path_of(const Value& item);
  template <class R>
  static Value wrap(R&& r) {
    using T = std::remove_cvref_t<R>;
    if constexpr (std::same_as<T, Value>)
      return std::forward<R>(r);
    else if constexpr (std::same_as<T, bool>)
      return Category{r ? "True" : "False"};
    else if constexpr (std::is_arithmetic_v<T>)
      return Number{static_cast<double>(r)};
    else if constexpr (std::constructible_from<std::string, R> && !std::same_as<T, fs::path>)
      return Category{std::string(std::forward<R>(r))};
    else
      return Value(std::forward<R>(r));
  }
  std::function<Value(const Value&)> get_;
};

}  // namespace kindling
