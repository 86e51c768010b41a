#pragma once
/// Finding the items of a data set.

#include <kindling/data/value.hpp>

#include <concepts>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace kindling {

using Paths = std::vector<fs::path>;

struct FileOptions {
  bool recurse = true;
  /// Only these sub-folders of the root, and then hidden ones too; files right in the root are left out
  /// unless "." is named.
  std::vector<std::string> folders = {};
};

/// Files below `path` with one of the extensions (".txt"; empty: all), sorted. Links are followed; hidden
/// files and folders are left out. Throws `not_found` for a missing folder. (fastai `get_files`, which does
/// not sort.)
Paths get_files(const fs::path& path, const std::set<std::string>& extensions = {},
                const FileOptions& options = {});

/// Extensions of picture files: those of Python's MIME table, and .webp and .jfif.
const std::set<std::string>& image_extensions();

/// `get_image_files(path)`: picture files by their names, sorted. A function object, so that it can be a
/// DataBlock's `get_items`.
struct GetImageFiles {
  Paths operator()(const fs::path& path, const FileOptions& options = {}) const {
    return get_files(path, image_extensions(), options);
  }
};
inline constexpr GetImageFiles get_image_files{};

/// Items of a data set: paths, mostly.
using Items = std::vector<Value>;
Items to_items(const Paths& paths);

/// Items of any type: kinds of `Value` as they are, others (a struct of the user's own) as `UserValue`.
template <class T>
Items to_items(const std::vector<T>& values) {
  Items items;
  items.reserve(values.size());
  for (const T& value : values) {
    if constexpr (std::constructible_from<Value, const T&>)
      items.emplace_back(value);
    else
      items.emplace_back(UserValue{value});
  }
  return items;
}

/// An item of several values, of which `ItemGetter(i)` takes one out.
Value tuple_of(std::vector<Value> values);
/// The values of such an item; nullptr for any other.
const std::vector<Value>* values_in(const Value& item);
/// Columns side by side to items. Throws `usage` for columns of different lengths.
Items zip_columns(const std::vector<Items>& columns);

/// How a DataBlock finds its items: a function of the source folder giving paths, or items of any type.
class GetItems {
 public:
  GetItems() = default;
  template <class F>
    requires std::invocable<F, const fs::path&>
  GetItems(F f)
      : get_([f](const fs::path& source) -> Items {
          if constexpr (std::convertible_to<std::invoke_result_t<F, const fs::path&>, Items>)
            return f(source);
          else
            return to_items(f(source));
        }) {}
  explicit operator bool() const { return static_cast<bool>(get_); }
  Items operator()(const fs::path& source) const { return get_(source); }

 private:
  std::function<Items(const fs::path&)> get_;
};

}  // namespace kindling
