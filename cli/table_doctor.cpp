#include <kindling/core/interrupt.hpp>
#include <kindling/tabular.hpp>

#include "cli/findings.hpp"
#include "cli/output.hpp"
#include "cli/table_set.hpp"
#include "cli/table_task.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <unordered_set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling::cli {

namespace {

/// A class of fewer of its rows than one in so many of the most frequent one's is rare.
constexpr std::int64_t imbalance = 10;

struct DoctorTableOptions {
  CommonOptions common;
  TableFlags data;
  std::string test;
  bool strict = false;
};

/// Rows that say in all columns what another says. Equal hashes of 64 bits are taken for equal rows.
std::int64_t repeated_rows(const Table& table) {
  std::vector<std::size_t> hashes(static_cast<std::size_t>(table.n_rows()));
  for (const std::string& name : table.names()) {
    const auto cells = table.texts(name);
    for (std::size_t row = 0; row < cells.size(); ++row) {
      const std::size_t cell = cells[row] ? std::hash<std::string>{}(*cells[row]) : 1;
      hashes[row] = (hashes[row] ^ cell) * 0x9E3779B97F4A7C15ull + (hashes[row] << 7);
    }
  }
  const std::unordered_set<std::size_t> unique(hashes.begin(), hashes.end());
  return table.n_rows() - static_cast<std::int64_t>(unique.size());
}

void find_rare_classes(const TableSet& set, std::vector<Finding>& found) {
  if (!set.classes) return;
  std::map<std::string, std::int64_t> counts;
  for (const auto& text : set.table.texts(set.target)) ++counts[*text];
  const auto most = std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  for (const auto& [name, n] : counts) {
    if (n * imbalance < most->second) {
      found.push_back({"imbalance", set.target,
                       fmt::format("class '{}' has {} of {} rows, '{}' has {}", safe(name), n, set.table.n_rows(),
                                   safe(most->first), most->second)});
    }
  }
}

/// What the target shows: rare classes, and columns that hold the answer.
void examine_target(const DoctorTableOptions& o, std::vector<Finding>& found) {
  const auto silent = silent_listener();
  const TableSet set = read_table_set(o.data, o.common, *silent);
  if (set.rows_without_target > 0)
    found.push_back({"no target", set.target, fmt::format("{} of {} rows have no {}", set.rows_without_target, set.rows_read,
                                                          safe(set.target))});
  find_rare_classes(set, found);
  const TabularData data(set.table, {.procs = {Categorify(), FillMissing({.fill_new = true}), Normalize()},
                                     .cat_names = set.cat,
                                     .cont_names = set.cont,
                                     .y_names = {set.target},
                                     .y_block = set.classes ? CategoryBlock() : RegressionBlock(),
                                     .splits = set.splits});
  for (const LeakingColumn& leak : leaking_columns(data.dataloaders()))
    found.push_back({"leak", leak.column,
                     fmt::format("'{}' alone predicts the target ({:.4f}): will it be known when the model is used?",
                                 safe(leak.column), leak.score)});
}

/// What new rows have otherwise.
void compare(const Table& train, const DoctorTableOptions& o, std::vector<Finding>& found) {
  const Table test = read_tabular(o.test, {.encoding = o.data.encoding});
  for (const std::string& name : train.names()) {
    if (name == o.data.target || test.contains(name)) continue;
    found.push_back({"missing column", name, fmt::format("'{}' is not in {}{}", safe(name), safe(o.test),
                                                         did_you_mean(name, test.names()))});
  }
  for (const TableFinding& f : check_drift(train, test)) found.push_back({std::string(name_of(f.problem)), f.column, f.text});
}

std::vector<Finding> examine(const DoctorTableOptions& o, const Table& table) {
  std::vector<Finding> found;
  for (const TableFinding& f : check_table(table, o.data.target)) found.push_back({std::string(name_of(f.problem)), f.column, f.text});
  if (const std::int64_t n = repeated_rows(table); n > 0)
    found.push_back({"repeated rows", "", fmt::format("{} say what another row says: they may validate what they taught",
                                                      count_of(static_cast<std::size_t>(n), "row", "rows"))});
  try {
    if (!o.data.target.empty()) examine_target(o, found);
  } catch (const Error& e) {
    // What training would stop at is one finding more; a column that is not there is a wrong command.
    if (!table.contains(o.data.target)) throw;
    found.push_back({"target", o.data.target, e.message()});
  }
  if (!o.test.empty()) compare(table, o, found);
  return found;
}

int doctor(const DoctorTableOptions& o) {
  install_interrupt_handler();
  demand_cpu(o.common, "doctor");
  apply(o.common);
  const Table table = read_tabular(o.data.data, {.encoding = o.data.encoding});
  const auto found = examine(o, table);
  const int code = tell_findings({.data = o.data.data,
                                  .size = {{"rows", table.n_rows()}, {"columns", table.n_columns()}},
                                  .words = fmt::format("{} rows, {} columns", table.n_rows(), table.n_columns())},
                                 found, o.common, o.strict);
  if (o.data.target.empty() && !o.common.json && !o.common.quiet)
    put("With --target COLUMN classes are counted, and columns that hold the answer are found.\n");
  return code;
}

}  // namespace

Command add_doctor_table(CLI::App& program) {
  auto o = std::make_shared<DoctorTableOptions>();
  CLI::App* app = program.add_subcommand("doctor", "Is anything wrong with a table?");
  add_table_flags(*app, o->data);
  app->add_option("--test", o->test, "rows that the model will be used on: columns that are missing or distributed otherwise")
      ->type_name("FILE");
  app->add_flag("--strict", o->strict, "exit with code 3 when something is found");
  add_common_options(*app, o->common);
  app->footer(R"(Nothing is changed on disk.

Examples:
  kindling doctor adult.csv --target salary
  kindling doctor train.csv --target price --test test.csv)");
  return {app, [o] { return doctor(*o); }};
}

}  // namespace kindling::cli
