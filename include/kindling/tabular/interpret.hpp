#pragma once
/// What a model of tables looks at.
///
///   auto dl = test_dl(learn.dls, table, /*with_targets=*/true);
///   importance_figure(permutation_importance(learn, dl)).save("importance.html");
///   partial_dependence(learn, dl, "age").save("age.html");

#include <kindling/core/figure.hpp>
#include <kindling/train/learner.hpp>

#include <string>
#include <vector>

namespace kindling {

struct ColumnImportance {
  std::string column;
  double importance = 0;  ///< how much the loss grows when the column is shuffled
};

struct ImportanceOptions {
  int repeats = 3;                  ///< shuffles a column, averaged
  std::int64_t max_rows = 10000;    ///< the first of the loader
  std::uint64_t seed = 42;
};

/// How much worse the loss of the loader's rows is where one column's cells are shuffled among them (Breiman, 2001), the most
/// important column first. Throws `usage` for a loader without targets.
std::vector<ColumnImportance> permutation_importance(Learner& learn, const DataLoader& dl, const ImportanceOptions& options = {});
/// Bars, the longest first.
Figure importance_figure(const std::vector<ColumnImportance>& importance, int max_n = 20);

struct PartialDependenceOptions {
  int points = 20;                ///< of a column of numbers: at as many quantiles
  std::int64_t max_rows = 1000;
  int output = -1;                ///< class (or number) that is drawn; -1: the last
};

/// The mean prediction where all rows have one value in the column, for values over its range, or each class (Friedman, 2001). Throws
/// `not_found` for an unknown column.
Figure partial_dependence(Learner& learn, const DataLoader& dl, const std::string& column, const PartialDependenceOptions& options = {});

/// How wrong the model is where a column has one value.
struct GroupError {
  std::string group;
  std::int64_t n = 0;  ///< rows
  double error = 0;    ///< part of them that is classified wrongly, or the mean absolute error of numbers
};

struct ErrorsByGroup {
  std::string column;
  std::vector<GroupError> groups;  ///< the largest error first
};

struct ErrorsByGroupOptions {
  std::int64_t min_rows = 30;  ///< a group of fewer says little and is left out
};

/// Of each column of classes, those first whose groups differ most (by the deviation of the errors over the rows). Throws `usage` for a
/// loader without targets.
std::vector<ErrorsByGroup> errors_by_group(Learner& learn, const DataLoader& dl, const ErrorsByGroupOptions& options = {});
Figure errors_figure(const ErrorsByGroup& errors, int max_n = 20);

}  // namespace kindling
