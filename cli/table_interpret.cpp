#include <kindling/core/error.hpp>
#include <kindling/core/figure.hpp>
#include <kindling/tabular.hpp>

#include "cli/model_path.hpp"
#include "cli/output.hpp"
#include "cli/run_folder.hpp"
#include "cli/table_set.hpp"
#include "cli/table_task.hpp"

#include <memory>

#include <fmt/format.h>

namespace kindling::cli {

namespace {

constexpr std::size_t most_curves = 6;
constexpr std::size_t most_groups = 4;
/// Rows that say enough for a figure: each is passed through the model some hundred times.
constexpr std::int64_t rows_for_importance = 2000, rows_for_curves = 400;

struct InterpretOptions {
  CommonOptions common;
  std::string run;
  std::string output;
};

/// How the run's table was read.
TableFlags flags_of(const Json& record) {
  if (record.value("task", "") != "table") {
    throw Error(ErrorCode::unsupported, "this run is not one of a table", {},
                "interpret draws what models of tables look at");
  }
  const Json& data = record.at("data");
  const Json& settings = record.at("settings");
  TableFlags flags{.data = data.at("path").get<std::string>(),
                   .target = data.at("target").get<std::string>(),
                   .cat = data.at("cat").get<std::vector<std::string>>(),
                   .cont = data.at("cont").get<std::vector<std::string>>(),
                   .task = data.at("target_kind") == "classes" ? "classification" : "regression",
                   // The first runs kept these three, and the part that validates, with the data.
                   .time_column = settings.value("time", data.value("time_column", "")),
                   .group_column = settings.value("group", data.value("group_column", "")),
                   .encoding = settings.value("encoding", data.value("encoding", "utf-8"))};
  const Json part = settings.value("valid_pct", data.value("valid_pct", Json()));
  if (part.is_number()) flags.valid_pct = part.get<double>();
  return flags;
}

/// Rows of the validation set, by what is true and what is said.
Figure confusion(Learner& learn, const DataLoader& dl) {
  const auto preds = learn.get_preds({.dl = dl, .with_decoded = true});
  const auto vocab = learn.dls.vocab();
  std::vector<std::vector<double>> counts(vocab.size(), std::vector<double>(vocab.size()));
  for (std::int64_t i = 0; i < preds.targs.size(0); ++i)
    ++counts.at(static_cast<std::size_t>(preds.targs[i].item<std::int64_t>()))
          .at(static_cast<std::size_t>(preds.decoded[i].item<std::int64_t>()));
  return heatmap_figure(vocab, vocab, counts, {.title = "Confusion matrix", .x = "said", .y = "true"});
}

int interpret(const InterpretOptions& o) {
  apply(o.common);
  const fs::path run(o.run);
  const Json record = parse_json(read_text(run / run_file), (run / run_file).string());
  CommonOptions common = o.common;
  common.seed = record.at("settings").value("seed", common.seed);
  const auto listener = o.common.json ? silent_listener() : make_listener(o.common);
  const TableSet set = read_table_set(flags_of(record), common, *listener);
  Learner learn = load_learner(model_path(run));
  const DataLoader dl = test_dl(learn.dls, set.table.take(set.splits.valid), /*with_targets=*/true);
  const auto importance = permutation_importance(learn, dl, {.max_rows = rows_for_importance});
  std::vector<FigureSection> sections = {
      {"What the model looks at",
       "How much the loss of the validation rows grows when one column is shuffled among them.",
       importance_figure(importance)}};
  for (std::size_t i = 0; i < std::min(most_curves, importance.size()); ++i) {
    sections.push_back({i == 0 ? "What it makes of single columns" : "",
                        i == 0 ? "The mean prediction where all rows have the same value in the column." : "",
                        partial_dependence(learn, dl, importance[i].column, {.max_rows = rows_for_curves})});
  }
  if (set.classes && learn.dls.vocab().size() <= 30)
    sections.push_back({"What it gets wrong", "Validation rows, by what is true and what the model says.", confusion(learn, dl)});
  const auto errors = errors_by_group(learn, dl);
  for (std::size_t i = 0; i < std::min(most_groups, errors.size()); ++i) {
    sections.push_back({i == 0 ? "Where it is wrong more often" : "",
                        i == 0 ? "Errors of the validation rows by the columns whose groups differ most." : "",
                        errors_figure(errors[i])});
  }
  const fs::path output = o.output.empty() ? run / "report.html" : fs::path(o.output);
  write_file(output, figure_page(fmt::format("{}: {}", fs::path(set.table.source()).filename().string(), set.target), sections));
  if (o.common.json) {
    Json columns = Json::object();
    for (const ColumnImportance& i : importance) columns[i.column] = i.importance;
    put_json({{"run", o.run}, {"report", output.string()}, {"importance", columns}});
  } else if (!o.common.quiet) {
    std::vector<std::vector<std::string>> rows = {{"column", "importance"}};
    for (const ColumnImportance& i : importance) rows.push_back({safe(i.column), fmt::format("{:.4f}", i.importance)});
    put(in_columns(rows, {false, true}));
    put(fmt::format("\nreport  {}\n", safe(output.string())));
  }
  return 0;
}

}  // namespace

Command add_interpret(CLI::App& program) {
  auto o = std::make_shared<InterpretOptions>();
  CLI::App* app = program.add_subcommand("interpret", "Draw what a model of a table looks at, and what it gets wrong");
  app->add_option("RUN", o->run, "folder of the run")->required();
  app->add_option("-o,--output", o->output, "where the page goes (RUN/report.html)")->type_name("FILE.html");
  add_common_options(*app, o->common);
  app->footer(R"(Example:
  kindling interpret runs/adult-1)");
  return {app, [o] { return interpret(*o); }};
}

}  // namespace kindling::cli
