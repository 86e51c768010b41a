#include <kindling/tabular.hpp>

#include "cli/output.hpp"
#include "cli/table_set.hpp"
#include "cli/table_task.hpp"

#include <memory>

#include <fmt/format.h>

namespace kindling::cli {

namespace {

struct LookTableOptions {
  CommonOptions common;
  TableFlags data;
  int max_n = 5;
};

/// The first rows as text.
std::string first_rows(const Table& table, int n) {
  std::vector<std::vector<std::string>> rows;
  for (std::int64_t row = 0; row < std::min<std::int64_t>(n, table.n_rows()); ++row) {
    auto& line = rows.emplace_back();
    for (int c = 0; c < table.n_columns(); ++c) line.push_back(table.text(row, c));
  }
  return format_table(table.names(), rows);
}

Json to_json(const Table& table, const std::vector<TableFinding>& findings, const LookTableOptions& o) {
  Json columns = Json::array(), found = Json::array();
  for (const std::string& name : table.names()) {
    std::int64_t missing = 0;
    for (std::int64_t row = 0; row < table.n_rows(); ++row) missing += table.is_null(row, name);
    columns.push_back({{"name", name}, {"type", std::string(name_of(table.type(name)))}, {"missing", missing}});
  }
  for (const TableFinding& f : findings)
    found.push_back({{"problem", std::string(name_of(f.problem))}, {"column", f.column}, {"text", f.text}});
  return {{"data", o.data.data}, {"rows", table.n_rows()}, {"columns", columns}, {"findings", found}};
}

int look(const LookTableOptions& o) {
  apply(o.common);
  const Table table = read_tabular(o.data.data, {.encoding = o.data.encoding});
  const auto findings = check_table(table, o.data.target);
  if (o.common.json) {
    put_json(to_json(table, findings, o));
    return 0;
  }
  if (o.common.quiet) return 0;
  put(table.describe());
  put("\n" + first_rows(table, o.max_n));
  for (const TableFinding& f : findings) put(fmt::format("\n{}: {}", name_of(f.problem), safe(f.text)));
  if (!findings.empty()) put("\n");
  if (o.data.target.empty()) return 0;
  const TableSet set = read_table_set(o.data, o.common, *make_listener(o.common));
  put("\n" + columns_in_words(set) + "\n");
  return 0;
}

}  // namespace

Command add_look_table(CLI::App& program) {
  auto o = std::make_shared<LookTableOptions>();
  CLI::App* app = program.add_subcommand("look", "Look at a table: columns, first rows, what is odd");
  add_table_flags(*app, o->data);
  app->add_option("--max-n", o->max_n, "rows shown (5)")->check(CLI::Range(1, 1000))->type_name("N");
  add_common_options(*app, o->common);
  app->footer(R"(Examples:
  kindling look adult.csv
  kindling look adult.csv --target salary         which columns would be classes and numbers
  kindling look adult.parquet --json)");
  return {app, [o] { return look(*o); }};
}

}  // namespace kindling::cli
