#pragma once
/// DATA as the program reads it where it is a table: which columns are what, which rows train, and what was left out.

#include <kindling/core/listener.hpp>
#include <kindling/tabular.hpp>

#include "cli/command.hpp"
#include "cli/flag_settings.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kindling::cli {

/// Whether a name ends as a table's: .csv, .tsv, .tab, .parquet, each also with .gz.
bool is_table_file(const std::string& name);

/// The flags that say what is in the table.
struct TableFlags {
  std::string data;
  std::string target;
  std::vector<std::string> cat, cont, drop;
  std::string task;         ///< "classification" or "regression"; empty: told by the target
  std::optional<double> valid_pct;
  std::string time_column;  ///< later rows validate
  std::string group_column; ///< rows of one value are on one side
  std::string encoding = "utf-8";
};

void add_table_flags(CLI::App& app, TableFlags& flags);
/// Makes those flags settings of a run.
void note_table_flags(CLI::App& app, TableFlags& flags, FlagSettings& settings);

/// As run.json keeps where a table is.
std::string absolute_path(const std::string& path);

/// A column that is not used, and why.
struct LeftOut {
  std::string column;
  std::string reason;
};

struct TableSet {
  Table table;  ///< the rows that are used
  std::string target;
  bool classes = true;  ///< of the target
  std::vector<std::string> cat, cont;
  std::vector<LeftOut> left_out;
  std::int64_t rows_read = 0;
  std::int64_t rows_without_target = 0;
  Splits splits;
  std::string split_rule;
};

/// Reads and decides; says each decision to the listener. Throws `usage` for flags that do not fit, `bad_data` for a table of which
/// nothing can be learnt.
TableSet read_table_set(const TableFlags& flags, const CommonOptions& common, Listener& listener);

/// The columns in words, two lines.
std::string columns_in_words(const TableSet& set);

}  // namespace kindling::cli
