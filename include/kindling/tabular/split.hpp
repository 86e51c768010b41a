#pragma once
/// Which columns are classes and which are numbers, and tables in less memory.

#include <kindling/data/splitters.hpp>
#include <kindling/data/table.hpp>

#include <string>
#include <vector>

namespace kindling {

struct ContCatSplit {
  std::vector<std::string> cont_names;
  std::vector<std::string> cat_names;
};

struct ContCatOptions {
  int max_card = 20;                      ///< whole numbers of at most so many values are classes
  std::vector<std::string> dep_var = {};  ///< targets, which are neither
};

/// Numbers with a point are numbers, whole ones where they have more than `max_card` values (missing counts as one); all
/// others are classes (fastai `cont_cat_split`). `auto [cont, cat] = cont_cat_split(table, {.dep_var = {"salary"}});`
ContCatSplit cont_cat_split(const Table& table, const ContCatOptions& options = {});

/// The type in which fastai's `df_shrink` would keep a column: "int8" … "int64" (with `int2uint` "uint8" … where nothing is
/// negative), "float32" or "float64", "category", "bool", "datetime64[ns]".
std::string shrunk_type(const Table& table, const std::string& column, bool int2uint = false);

/// The table with its numbers rounded as fastai's `df_shrink` rounds them: those with a point to float32. Memory is not saved by
/// it: a Table's columns are Arrow's, and what a model gets is in its final type as soon as it is made.
Table df_shrink(const Table& table, const std::vector<std::string>& skip = {});

/// Rows that come last by the column (dates, years, a counter) validate: int(valid_pct n) of them, so that a model is judged
/// on a time that it has not seen. Rows of one time stay together, on the training side where they lie across. Missing times train.
Splits time_ordered_split(const Table& table, const std::string& column, double valid_pct = 0.2);

}  // namespace kindling
