#pragma once
/// A table on its way to tensors: what the steps of processing read and change.

#include <kindling/data/table.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

namespace kindling {

namespace detail {
struct UniqueCells;
}

/// Columns by name. A step takes a column out of the table the first time that it needs it, and puts what it made of
/// it into one of the maps.
class TabularFrame {
 public:
  TabularFrame() = default;
  TabularFrame(Table table, std::vector<std::string> cat_names, std::vector<std::string> cont_names);

  Table table;
  std::vector<std::string> cat_names;  ///< classes; steps may add columns of their own
  std::vector<std::string> cont_names;
  std::int64_t n_rows = 0;
  /// Numbers: n_rows each, NaN where missing; float64 of whole numbers, float32 of others (as fastai keeps them).
  std::map<std::string, torch::Tensor> conts;
  /// Columns that steps added: bool, n_rows each.
  std::map<std::string, torch::Tensor> flags;
  /// Codes of `cat_names`: n_rows each, of whole numbers as small as hold them (uint8, int16, int32).
  std::map<std::string, torch::Tensor> codes;
  /// Decoded classes.
  std::map<std::string, std::vector<std::string>> texts;
  /// How many cells of a column were filled.
  std::map<std::string, std::int64_t> filled;
  /// How many cells hold a class that was not there in training, or none.
  std::map<std::string, std::int64_t> unknown;

  /// The numbers of a column, from `conts` or the table. Throws `bad_data` naming the row for a cell that is no number.
  const torch::Tensor& cont(const std::string& name);
  /// The different cells of a column of the table, and which row holds which.
  const detail::UniqueCells& unique(const std::string& name) const;
  /// Lets the memory of `unique` go, where a column has its codes.
  void forget(const std::string& name) { unique_.erase(name); }

 private:
  mutable std::map<std::string, std::shared_ptr<const detail::UniqueCells>> unique_;
};

}  // namespace kindling
