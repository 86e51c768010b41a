#pragma once
/// Which items train and which validate. Any function `Splits f(const Items&)` is a splitter.

#include <kindling/data/labels.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
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
  template <class F>
    requires(std::predicate<F, const Row&> && !std::predicate<F, const Value&>)
  explicit FuncSplitter(F f) : is_valid_([f](const Value& item) { return f(std::get<Row>(item)); }) {}
  Splits operator()(const Items& items) const;

 private:
  std::function<bool(const Value&)> is_valid_;
};

/// Items whose place has true in the mask validate. Throws `usage` for a mask of another length than the data.
class MaskSplitter {
 public:
  explicit MaskSplitter(std::vector<bool> mask) : mask_(std::move(mask)) {}
  Splits operator()(const Items& items) const;

 private:
  std::vector<bool> mask_;
};

/// Rows of a table whose cell in a column is true validate, or equals a value, or is one of several.
class ColSplitter {
 public:
  using On = std::variant<std::monostate, std::string, double, std::vector<std::string>>;
  explicit ColSplitter(ColumnRef column = "is_valid", On on = {}) : column_(std::move(column)), on_(std::move(on)) {}
  Splits operator()(const Items& items) const;

 private:
  ColumnRef column_;
  On on_;
};

/// Train: the first int(train_sz n) of a random permutation; valid: the int(valid_sz n) after them; the rest is left
/// out. With a seed equal to fastai's.
class RandomSubsetSplitter {
 public:
  RandomSubsetSplitter(double train_sz, double valid_sz, std::optional<std::uint64_t> seed = std::nullopt);
  Splits operator()(const Items& items) const;

 private:
  double train_sz_, valid_sz_;
  std::optional<std::uint64_t> seed_;
};

struct TrainTestSplitterOptions {
  double test_size = 0.2;  ///< part of the items, or their number from 1 on
  std::optional<std::uint32_t> random_state = std::nullopt;
  /// The class of an item, of which each side gets its part: any function of the item (`parent_label`, a ColReader).
  Getter stratify = {};
  /// Or the class of each item, one by one.
  std::vector<std::string> stratify_labels = {};
  std::optional<double> train_size = std::nullopt;  ///< left out: what the test items leave
  bool shuffle = true;                              ///< false: in order, train first
};

/// scikit-learn's `train_test_split`, with the same items on each side for a `random_state`. Throws `bad_data` for a class
/// of one item where classes are kept, naming it.
class TrainTestSplitter {
 public:
  explicit TrainTestSplitter(TrainTestSplitterOptions options = {});
  Splits operator()(const Items& items) const;

 private:
  std::vector<std::string> classes_of(const Items& items) const;
  TrainTestSplitterOptions options_;
};

/// No group on both sides: all photos of a person, a patient or a day train, or all validate. `int(valid_pct groups)`
/// groups validate, and at least one; which ones is drawn as RandomSplitter draws items. (Not in fastai.)
///
///   GroupSplitter(RegexLabeller("(patient\d+)_"))    GroupSplitter(ColReader("person"), 0.2, 42)
class GroupSplitter {
 public:
  explicit GroupSplitter(Getter group, double valid_pct = 0.2, std::optional<std::uint64_t> seed = std::nullopt);
  Splits operator()(const Items& items) const;

 private:
  Getter group_;
  double valid_pct_;
  std::optional<std::uint64_t> seed_;
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
