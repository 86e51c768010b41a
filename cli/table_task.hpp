#pragma once
/// The commands where DATA is a table.

#include "cli/command.hpp"

#include <kindling/serve/predictor.hpp>

#include <string>
#include <vector>

namespace kindling::cli {

/// `train TABLE`, `look TABLE` and `doctor TABLE`: the same commands with a table's flags.
Command add_train_table(CLI::App& program);
Command add_look_table(CLI::App& program);
Command add_doctor_table(CLI::App& program);
/// `interpret RUN`.
Command add_interpret(CLI::App& program);

/// A text as a field of a CSV.
std::string csv_field(const std::string& text);

struct TablePredictOptions {
  std::vector<std::string> files;  ///< tables, "-" or JSON objects
  bool json = false;
  bool csv = false;
};
/// Rows of tables (or one row as JSON) through a model of tables: CSV of the predictions, or JSON lines.
int predict_tables(const Predictor& predictor, const TablePredictOptions& options);

}  // namespace kindling::cli
