#pragma once
/// Which items train and which validate. Any function `Splits f(const Items&)` is a splitter.

#include <kindling/data/items.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kindling {

struct Splits {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> valid;
};

using Splitter = std::function<Splits(const Items&)>;

/// Valid: the first int(valid_pct n) of a random permutation; train: the rest. With a seed equal to fastai's
/// (`torch.randperm`), without one different each time.
class RandomSplitter {
 public:
  explicit RandomSplitter(double valid_pct = 0.2, std::optional<std::uint64_t> seed = std::nullopt);
  Splits operator()(const Items& items) const;

 private:
  double valid_pct_;
  std::optional<std::uint64_t> seed_;
};

/// By the name of the folder two levels up; items of neither name are left out.
class GrandparentSplitter {
 public:
  explicit GrandparentSplitter(std::vector<std::string> train_name = {"train"},
                               std::vector<std::string> valid_name = {"valid"});
  Splits operator()(const Items& items) const;

 private:
  std::vector<std::string> train_, valid_;
};

/// The last (or first) int(valid_pct n) items validate.
class EndSplitter {
 public:
  explicit EndSplitter(double valid_pct = 0.2, bool valid_last = true);
  Splits operator()(const Items& items) const;

 private:
  double valid_pct_;
  bool valid_last_;
};

/// The given items validate, in the given order. Throws `usage` for an index outside the data.
class IndexSplitter {
 public:
  explicit IndexSplitter(std::vector<std::int64_t> valid_idx);
  Splits operator()(const Items& items) const;

 private:
  std::vector<std::int64_t> valid_idx_;
};

/// Items for which the function is true validate.
class FuncSplitter {
 public:
  template <class F>
    requires(std::predicate<F, const fs::path&> && !std::predicate<F, const Value&>)
  explicit FuncSplitter(F f) : is_valid_([f](const Value& item) { return f(std::get<fs::path>(item)); }) {}
  template <class F>
    requires std::predicate<F, const Value&>
  explicit FuncSplitter(F f) : is_valid_(f) {}
  Splits operator()(const Items& items) const;

 private:
  std::function<bool(const Value&)> is_valid_;
};

/// Items whose file name stands in a text file, one a line, validate.
class FileSplitter {
 public:
  explicit FileSplitter(const fs::path& file);
  Splits operator()(const Items& items) const;

 private:
  std::vector<std::string> names_;
};

}  // namespace kindling
