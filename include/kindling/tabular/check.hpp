#pragma once
/// What is wrong with a table before anything is learnt from it.

#include <kindling/data/dataloaders.hpp>
#include <kindling/data/table.hpp>

#include <string>
#include <vector>

namespace kindling {

/// A column that alone predicts the target on the validation rows: most often it holds the answer, and will not be there when the
/// model is used.
struct LeakingColumn {
  std::string column;
  double score = 0;     ///< accuracy, or R², of the column alone
  double baseline = 0;  ///< of the most frequent class, or the mean (0)
};

struct LeakOptions {
  /// Part of the baseline's errors that the column alone must take away.
  double threshold = 0.95;
};

/// The columns that leak, by what each says alone: the most frequent class (or mean) of the training rows of each of its values,
/// numbers in 64 ranges of as many rows.
std::vector<LeakingColumn> leaking_columns(const DataLoaders& dls, const LeakOptions& options = {});

enum class TableProblem { constant, duplicate, identifier, mixed_types, mostly_missing, drift };

/// "constant", "duplicate" …
std::string_view name_of(TableProblem problem);

struct TableFinding {
  TableProblem problem;
  std::string column;
  std::string text;  ///< a sentence
};

/// Columns with one value, columns that say the same as another, identifiers (each row has its own), text where most cells are
/// numbers, columns that are mostly missing. `target` is not looked at.
std::vector<TableFinding> check_table(const Table& table, const std::string& target = "");

/// Columns whose values are distributed otherwise in `test` than in `train`, by the largest difference of the parts of rows at or
/// below a value (Kolmogorov-Smirnov), or half the sum of the differences of the classes' parts (total variation).
std::vector<TableFinding> check_drift(const Table& train, const Table& test, double threshold = 0.15);

}  // namespace kindling
