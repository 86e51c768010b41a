#pragma once
/// Steps that make a table fit for a model. They learn from the training rows, and treat all others alike.
///
///   .procs = {Categorify(), FillMissing(), Normalize()}      // any order: each knows its place

#include <kindling/data/normalize.hpp>
#include <kindling/tabular/category_map.hpp>
#include <kindling/tabular/frame.hpp>

#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kindling {

/// Handle of a step; any type with these members converts to one:
///
///   struct LogAll {
///     static constexpr const char* name = "LogAll";      // for exports
///     static constexpr int order = 50;                   // ascending; FillMissing 0, Categorify 1, Normalize 99
///     void setup(TabularFrame& frame, const torch::Tensor& train);   // places of the training rows
///     void encodes(TabularFrame& frame) const;
///     void decodes(TabularFrame& frame) const;           // for showing
///     Json to_json() const;
///   };
class TabularProc {
 public:
  template <class T>
    requires requires(T t, const T& c, TabularFrame& frame, const torch::Tensor& rows) {
      t.setup(frame, rows);
      c.encodes(frame);
      c.decodes(frame);
      { c.to_json() } -> std::convertible_to<Json>;
    }
  TabularProc(T t) : self_(std::make_shared<Holder<T>>(std::move(t))) {}
  /// Statistics are those of the training rows, whatever it holds.
  TabularProc(const Normalize&);

  int order() const { return self_->order(); }
  std::string name() const { return self_->name(); }
  /// A copy that has learnt from the training rows.
  TabularProc with_setup(TabularFrame& frame, const torch::Tensor& train) const {
    return TabularProc(self_->with_setup(frame, train));
  }
  void encodes(TabularFrame& frame) const { self_->encodes(frame); }
  void decodes(TabularFrame& frame) const { self_->decodes(frame); }
  /// {"name": …, what it learnt}.
  Json to_json() const;
  /// The object itself, or nullptr when it is of another type.
  template <class T>
  const T* get() const {
    auto* holder = dynamic_cast<const Holder<T>*>(self_.get());
    return holder ? &holder->value : nullptr;
  }

 private:
  struct Concept {
    virtual ~Concept() = default;
    virtual int order() const = 0;
    virtual std::string name() const = 0;
    virtual std::shared_ptr<const Concept> with_setup(TabularFrame&, const torch::Tensor&) const = 0;
    virtual void encodes(TabularFrame&) const = 0;
    virtual void decodes(TabularFrame&) const = 0;
    virtual Json to_json() const = 0;
  };
  template <class T>
  struct Holder final : Concept {
    explicit Holder(T t) : value(std::move(t)) {}
    int order() const override { return T::order; }
    std::string name() const override { return T::name; }
    std::shared_ptr<const Concept> with_setup(TabularFrame& frame, const torch::Tensor& train) const override {
      auto copy = std::make_shared<Holder>(value);
      copy->value.setup(frame, train);
      return copy;
    }
    void encodes(TabularFrame& frame) const override { value.encodes(frame); }
    void decodes(TabularFrame& frame) const override { value.decodes(frame); }
    Json to_json() const override { return value.to_json(); }
    T value;
  };
  explicit TabularProc(std::shared_ptr<const Concept> self) : self_(std::move(self)) {}
  std::shared_ptr<const Concept> self_;
};

using TabularProcs = std::vector<TabularProc>;

/// Makes a step of that name loadable from exports.
void register_tabular_proc(const std::string& name, std::function<TabularProc(const Json&)> make);
/// Throws `not_found` naming the step and how to register it.
TabularProc tabular_proc_from_json(const Json& json);

/// Classes to codes, 0 for missing and unknown ones. The vocabulary of a column of text is that of all rows (fastai's
/// `df_shrink` makes it so), of any other that of the training rows.
class Categorify {
 public:
  static constexpr const char* name = "Categorify";
  static constexpr int order = 1;

  void setup(TabularFrame& frame, const torch::Tensor& train);
  void encodes(TabularFrame& frame) const;
  void decodes(TabularFrame& frame) const;
  Json to_json() const;
  static Categorify from_json(const Json& json);
  /// Throws `not_found` for a column that it does not know.
  const CategoryMap& operator[](const std::string& column) const;

 private:
  std::vector<std::pair<std::string, CategoryMap>> classes_;
};

/// What stands in for a missing number.
enum class FillStrategy {
  median,    ///< of the training rows
  constant,  ///< `fill_vals`, or 0
  mode       ///< the most frequent value of the training rows
};

struct FillMissingOptions {
  FillStrategy fill_strategy = FillStrategy::median;
  bool add_col = true;  ///< a column of classes "<name>_na" that says where a value was missing
  std::map<std::string, double> fill_vals = {};
  /// A missing number in a column that had none in training: an error (as in fastai), or filled with the column's median.
  bool fill_new = false;
};

/// Missing numbers to a value, for each column of numbers that misses some in the training rows.
class FillMissing {
 public:
  static constexpr const char* name = "FillMissing";
  static constexpr int order = 0;
  explicit FillMissing(FillMissingOptions options = {}) : options_(std::move(options)) {}

  void setup(TabularFrame& frame, const torch::Tensor& train);
  void encodes(TabularFrame& frame) const;
  void decodes(TabularFrame&) const {}
  Json to_json() const;
  static FillMissing from_json(const Json& json);
  /// What each column is filled with that missed values in training.
  const std::map<std::string, double>& na_dict() const { return na_dict_; }

 private:
  FillMissingOptions options_;
  std::map<std::string, double> na_dict_;
  std::vector<std::string> filled_;         ///< the same columns, in the table's order
  std::map<std::string, double> fallback_;  ///< with fill_new: of the other columns
};

/// (x - mean) / (std + 1e-7) of each column of numbers, by the training rows' mean and population deviation: what
/// `Normalize()` becomes in a table's steps.
class NormalizeConts {
 public:
  static constexpr const char* name = "Normalize";
  static constexpr int order = 99;

  void setup(TabularFrame& frame, const torch::Tensor& train);
  void encodes(TabularFrame& frame) const;
  void decodes(TabularFrame& frame) const;
  Json to_json() const;
  static NormalizeConts from_json(const Json& json);
  const std::map<std::string, double>& means() const { return means_; }
  const std::map<std::string, double>& stds() const { return stds_; }

 private:
  std::map<std::string, double> means_, stds_;
};

}  // namespace kindling
