#pragma once
/// From an item to its label, or to any other member of it.

#include <kindling/data/table.hpp>

#include <any>
#include <concepts>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

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

namespace detail {

/// The type that a function of one argument takes, or whose member a pointer names.
template <class F>
struct Argument : Argument<decltype(&F::operator())> {};
template <class R, class A>
struct Argument<R (*)(A)> {
  using type = std::remove_cvref_t<A>;
};
template <class C, class R, class A>
struct Argument<R (C::*)(A)> {
  using type = std::remove_cvref_t<A>;
};
template <class C, class R, class A>
struct Argument<R (C::*)(A) const> {
  using type = std::remove_cvref_t<A>;
};
template <class S, class M>
struct Argument<M S::*> {
  using type = S;
};

template <class F>
concept OneArgument = std::is_member_pointer_v<F> || std::is_function_v<std::remove_pointer_t<F>> ||
                      requires { &F::operator(); };

template <class F, class V>
struct TakesKind : std::false_type {};
template <class F, class... Kinds>
struct TakesKind<F, std::variant<Kinds...>> : std::disjunction<std::is_invocable<F, const Kinds&>...> {};

/// A function of one or more kinds of value.
template <class F>
concept OfKinds = TakesKind<F, Value>::value;

/// What a function of the user's gives, as a value.
template <class R>
Value to_value(R&& r) {
  using T = std::remove_cvref_t<R>;
  if constexpr (std::same_as<T, Value>)
    return std::forward<R>(r);
  else if constexpr (std::same_as<T, bool>)
    return Category{r ? "True" : "False"};
  else if constexpr (std::is_arithmetic_v<T>)
    return Number{static_cast<double>(r)};
  else if constexpr (std::constructible_from<std::string, R> && !std::same_as<T, fs::path>)
    return Category{std::string(std::forward<R>(r))};
  else if constexpr (std::same_as<T, std::vector<std::string>>)
    return Categories{std::forward<R>(r)};
  else if constexpr (std::same_as<T, std::vector<double>> || std::same_as<T, std::vector<float>> ||
                     std::same_as<T, std::vector<int>>)
    return Numbers{{r.begin(), r.end()}};
  else if constexpr (std::same_as<T, std::vector<Point>>)
    return Points{std::forward<R>(r)};
  else if constexpr (std::same_as<T, std::vector<BBox>>)
    return BBoxes{std::forward<R>(r)};
  else if constexpr (std::constructible_from<Value, R>)
    return Value(std::forward<R>(r));
  else
    return UserValue{std::forward<R>(r)};
}

/// The item is of a kind that the function does not take.
[[noreturn]] void fail_kind(const Value& item);

}  // namespace detail

/// A member of an item, by any function of it: of a path, of a `Row`, of the whole `Value`, or of a struct of the user's own,
/// of which a pointer to a member will do (`&Photo::label`). What it gives becomes a value: text a Category,
/// several texts Categories, numbers Number and Numbers, truth the Category "True" or "False", a type of the user's own a
/// UserValue.
class Getter {
 public:
  Getter() = default;
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, Getter> &&
             (std::invocable<F, const Value&> || detail::OfKinds<F> || detail::OneArgument<F>))
  Getter(F f) : get_([f](const Value& item) -> Value { return apply(f, item); }) {}
  explicit operator bool() const { return static_cast<bool>(get_); }
  /// Errors and other exceptions of the function come out as `Error` with the fact "item".
  Value operator()(const Value& item) const;

 private:
  template <class F>
  static Value apply(const F& f, const Value& item) {
    // A path converts to a Value, so that a function of values would also take a path.
    if constexpr (std::invocable<F, const Value&>) {
      return detail::to_value(std::invoke(f, item));
    } else if constexpr (detail::OfKinds<F>) {
      return std::visit(
          [&]<class Kind>(const Kind& kind) -> Value {
            if constexpr (std::invocable<F, const Kind&>)
              return detail::to_value(std::invoke(f, kind));
            else
              detail::fail_kind(item);
          },
          item);
    } else {
      using T = typename detail::Argument<F>::type;
      const auto* user = std::get_if<UserValue>(&item);
      const T* object = user ? std::any_cast<T>(&user->value) : nullptr;
      if (!object) detail::fail_kind(item);
      return detail::to_value(std::invoke(f, *object));
    }
  }
  std::function<Value(const Value&)> get_;
};

/// One getter, or a list of them: one a block.
class Getters {
 public:
  Getters() = default;
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, Getters> && std::convertible_to<F, Getter>)
  Getters(F f) : getters_{Getter(std::move(f))} {}
  Getters(std::initializer_list<Getter> getters) : getters_(getters) {}
  const std::vector<Getter>& list() const { return getters_; }

 private:
  std::vector<Getter> getters_;
};

/// What is put before a column's text: a folder (with a separator between), or plain text.
class ColPrefix {
 public:
  ColPrefix() = default;
  ColPrefix(const char* text) : text_(text) {}
  ColPrefix(std::string text) : text_(std::move(text)) {}
  ColPrefix(const fs::path& folder);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

struct ColReaderOptions {
  ColPrefix pref = {};           ///< before the text; with it (or `suff`) the text is the path of a file
  std::string suff = "";         ///< after it
  std::string label_delim = "";  ///< between several labels in one cell; an empty cell has none
};

/// The cells of a table's row (fastai `ColReader`), by names or places from 0. One column: text is a Category, truth too,
/// a number a Number, with `pref` or `suff` a path, with `label_delim` Categories; a missing cell is nothing. Several
/// columns: Numbers where all are numbers or truth, else Categories.
class ColReader {
 public:
  ColReader(ColumnRefs columns, ColReaderOptions options = {});
  Value operator()(const Row& row) const;

 private:
  Value one(const Row& row) const;
  Value several(const Row& row) const;
  std::vector<ColumnRef> columns_;
  ColReaderOptions options_;
};

/// The i-th of an item's values (`tuple_of`), of a row's cells, of several labels or of several numbers.
class ItemGetter {
 public:
  explicit ItemGetter(int i) : i_(i) {}
  Value operator()(const Value& item) const;

 private:
  int i_;
};

/// A member of a struct of the user's own: `AttrGetter(&Photo::label)`.
template <class S, class M>
Getter AttrGetter(M S::*member) {
  return Getter(member);
}

}  // namespace kindling
