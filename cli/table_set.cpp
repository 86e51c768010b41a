#include "cli/table_set.hpp"

#include <kindling/core/error.hpp>

#include "cli/output.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>

namespace kindling::cli {

namespace {

/// Whole numbers of at most so many values are classes, where nothing else is said.
constexpr int max_card = 20;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::size_t values_of(const Table& table, const std::string& name) {
  std::set<std::string> values;
  for (const auto& text : table.texts(name)) {
    if (text) values.insert(*text);
  }
  return values.size();
}

bool is_number(ColumnType type) {
  return type == ColumnType::integer || type == ColumnType::number;
}

Table read(const TableFlags& flags) {
  return read_tabular(flags.data, {.encoding = flags.encoding});
}

void check_target(const TableFlags& flags, const Table& table) {
  if (!flags.target.empty()) {
    table.column(flags.target);
    return;
  }
  throw Error(ErrorCode::usage, "which column is to be predicted?",
              {{"columns", fmt::format("{}", fmt::join(table.names(), ", "))}},
              fmt::format("kindling train {} --target {}", shell_word(flags.data),
                          table.names().empty() ? "COLUMN" : shell_word(table.names().back())));
}

/// Rows with a target.
void drop_unlabelled(TableSet& set, Listener& listener) {
  std::vector<std::int64_t> kept;
  for (std::int64_t row = 0; row < set.table.n_rows(); ++row) {
    if (!set.table.is_null(row, set.target)) kept.push_back(row);
  }
  set.rows_without_target = set.rows_read - static_cast<std::int64_t>(kept.size());
  if (set.rows_without_target == 0) return;
  listener.message(Level::warning, fmt::format("{} of {} rows have no {} and are left out", set.rows_without_target,
                                               set.rows_read, safe(set.target)));
  set.table = set.table.take(kept);
}

bool target_is_class(const TableFlags& flags, const Table& table) {
  if (flags.task == "classification") return true;
  if (flags.task == "regression") return false;
  const ColumnType type = table.type(flags.target);
  if (!is_number(type)) return true;
  return type == ColumnType::integer && values_of(table, flags.target) <= static_cast<std::size_t>(max_card);
}

/// Why a column cannot be used as it is; empty where it can.
std::string reason_against(const Table& table, const std::string& name, const std::vector<TableFinding>& findings) {
  for (const TableFinding& f : findings) {
    if (f.column != name) continue;
    if (f.problem == TableProblem::constant) return "the same in every row";
    if (f.problem == TableProblem::identifier) return "an identifier: different in every row";
  }
  if (table.type(name) == ColumnType::date) return "a date: add_datepart makes columns of it";
  if (table.type(name) == ColumnType::text && 2 * static_cast<std::int64_t>(values_of(table, name)) > table.n_rows())
    return "free text: most rows have a text of their own";
  return "";
}

void choose_columns(TableSet& set, const TableFlags& flags) {
  for (const auto* names : {&flags.cat, &flags.cont, &flags.drop}) {
    for (const std::string& name : *names) set.table.column(name);
  }
  const auto [cont, cat] = cont_cat_split(set.table, {.max_card = max_card, .dep_var = {flags.target}});
  const auto findings = check_table(set.table, flags.target);
  for (const std::string& name : set.table.names()) {
    if (name == flags.target) continue;
    if (contains(flags.drop, name)) {
      set.left_out.push_back({name, "--drop"});
    } else if (contains(flags.cat, name)) {
      set.cat.push_back(name);
    } else if (contains(flags.cont, name)) {
      set.cont.push_back(name);
    } else if (const std::string reason = reason_against(set.table, name, findings); !reason.empty()) {
      set.left_out.push_back({name, reason});
    } else {
      (contains(cont, name) ? set.cont : set.cat).push_back(name);
    }
  }
  if (!set.cat.empty() || !set.cont.empty()) return;
  throw Error(ErrorCode::bad_data, "there is no column to learn from",
              {{"path", flags.data}, {"left out", std::to_string(set.left_out.size())}},
              "name columns with --cat and --cont");
}

Splits split_of(TableSet& set, const TableFlags& flags, const CommonOptions& common) {
  const double part = flags.valid_pct.value_or(0.2);
  if (!flags.time_column.empty()) {
    set.split_rule = fmt::format("the last {:.0f} % by {}", 100 * part, flags.time_column);
    return time_ordered_split(set.table, flags.time_column, part);
  }
  if (!flags.group_column.empty()) {
    set.split_rule = fmt::format("{:.0f} % at random, whole groups of {}, seed {}", 100 * part, flags.group_column, common.seed);
    return GroupSplitter(ColReader(flags.group_column), part, common.seed)(rows_of(set.table));
  }
  set.split_rule = fmt::format("{:.0f} % at random, seed {}", 100 * part, common.seed);
  return RandomSplitter(part, common.seed)(Items(static_cast<std::size_t>(set.table.n_rows())));
}

/// Rows of a class that no training row has go to the training rows: such a class cannot be judged, but it can be learnt.
void keep_classes_in_training(TableSet& set, Listener& listener) {
  if (!set.classes) return;
  const auto texts = set.table.texts(set.target);
  std::set<std::string> trained;
  for (std::int64_t row : set.splits.train) trained.insert(*texts[static_cast<std::size_t>(row)]);
  std::vector<std::int64_t> valid;
  std::map<std::string, int> moved;
  for (std::int64_t row : set.splits.valid) {
    const std::string& text = *texts[static_cast<std::size_t>(row)];
    if (trained.contains(text)) {
      valid.push_back(row);
    } else {
      set.splits.train.push_back(row);
      ++moved[text];
    }
  }
  for (const auto& [text, n] : moved) {
    listener.message(Level::warning, fmt::format("{} of class '{}' moved to the training rows, which had none of it",
                                                 count_of(static_cast<std::size_t>(n), "row", "rows"), safe(text)));
  }
  set.splits.valid = std::move(valid);
}

void check_enough(const TableSet& set, const TableFlags& flags) {
  if (set.table.n_rows() == 0)
    throw Error(ErrorCode::bad_data, "no row of the table has a target", {{"path", flags.data}, {"column", set.target}});
  if (set.classes && values_of(set.table, set.target) < 2) {
    throw Error(ErrorCode::bad_data, "the target has only one value, so there is nothing to tell apart",
                {{"path", flags.data}, {"column", set.target}, {"value", set.table.text(0, set.target)}},
                "choose another --target, or rows of at least two classes");
  }
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

bool is_table_file(const std::string& name) {
  std::string text = lower(name);
  if (text.ends_with(".gz")) text.resize(text.size() - 3);
  for (const char* ending : {".csv", ".tsv", ".tab", ".parquet"}) {
    if (text.ends_with(ending)) return true;
  }
  return false;
}

void add_table_flags(CLI::App& app, TableFlags& f) {
  app.add_option("DATA", f.data, "a table: CSV, TSV or Parquet")->required();
  app.add_option("--target", f.target, "the column to predict")->type_name("COLUMN");
  app.add_option("--cat", f.cat, "columns of classes (inferred)")->delimiter(',')->allow_extra_args(false)->type_name("NAMES");
  app.add_option("--cont", f.cont, "columns of numbers (inferred)")->delimiter(',')->allow_extra_args(false)->type_name("NAMES");
  app.add_option("--drop", f.drop, "columns that are left out")->delimiter(',')->allow_extra_args(false)->type_name("NAMES");
  app.add_option("--task", f.task, "classification or regression (told by the target)")
      ->check(CLI::IsMember({"classification", "regression"}))
      ->type_name("TASK");
  app.add_option("--valid-pct", f.valid_pct, "part of the rows that validates (0.2)")->check(CLI::Range(0.01, 0.9))->type_name("PART");
  app.add_option("--time", f.time_column, "later rows by this column validate, instead of rows at random")->type_name("COLUMN");
  app.add_option("--group", f.group_column, "rows with one value of this column stay together")->type_name("COLUMN");
  app.add_option("--encoding", f.encoding, "utf-8 or latin1 (utf-8)")->check(CLI::IsMember({"utf-8", "latin1"}))->type_name("NAME");
}

void note_table_flags(CLI::App& app, TableFlags& f, FlagSettings& settings) {
  settings.add(app.get_option("--target"), "target", f.target);
  settings.add(app.get_option("--cat"), "cat", f.cat);
  settings.add(app.get_option("--cont"), "cont", f.cont);
  settings.add(app.get_option("--drop"), "drop", f.drop);
  settings.add(app.get_option("--task"), "task", f.task);
  settings.add(app.get_option("--valid-pct"), "valid_pct", f.valid_pct);
  settings.add(app.get_option("--time"), "time", f.time_column);
  settings.add(app.get_option("--group"), "group", f.group_column);
  settings.add(app.get_option("--encoding"), "encoding", f.encoding);
}

std::string absolute_path(const std::string& path) {
  std::error_code ignored;
  return fs::weakly_canonical(path, ignored).string();
}

TableSet read_table_set(const TableFlags& flags, const CommonOptions& common, Listener& listener) {
  TableSet set{.table = read(flags), .target = flags.target};
  set.rows_read = set.table.n_rows();
  check_target(flags, set.table);
  drop_unlabelled(set, listener);
  set.classes = target_is_class(flags, set.table);
  check_enough(set, flags);
  choose_columns(set, flags);
  set.splits = split_of(set, flags, common);
  keep_classes_in_training(set, listener);
  if (set.splits.train.empty() || set.splits.valid.empty()) {
    throw Error(ErrorCode::bad_data, "the table has too few rows for a split",
                {{"path", flags.data}, {"rows", set.table.n_rows()}, {"training rows", set.splits.train.size()}},
                "use more rows, or another --valid-pct");
  }
  return set;
}

std::string columns_in_words(const TableSet& set) {
  std::string text = fmt::format("target   {} ({})", safe(set.target), set.classes ? "classes" : "a number");
  const auto line = [&](const char* title, const std::vector<std::string>& names) {
    std::vector<std::string> shown;
    for (const std::string& name : names) shown.push_back(safe(name));
    if (!names.empty()) text += fmt::format("\n{:<8} {}", title, fmt::join(shown, ", "));
  };
  line("numbers", set.cont);
  line("classes", set.cat);
  for (const LeftOut& l : set.left_out) text += fmt::format("\nleft out {}: {}", safe(l.column), l.reason);
  return text;
}

}  // namespace kindling::cli
