#include <kindling/collab.hpp>
#include <kindling/core/error.hpp>
#include <kindling/core/figure.hpp>

#include "cli/model_path.hpp"
#include "cli/output.hpp"
#include "cli/rating_set.hpp"
#include "cli/rating_task.hpp"
#include "cli/run_folder.hpp"

#include <memory>

#include <fmt/format.h>

namespace kindling::cli {

namespace {

constexpr int shown_biases = 15;

struct InterpretRatingsOptions {
  CommonOptions common;
  std::string run;
  std::string output;
};

Figure bias_figure(const std::vector<ScoredItem>& list) {
  std::vector<std::string> names;
  std::vector<double> values;
  for (const auto& [item, score] : list) {
    names.push_back(item);
    values.push_back(score);
  }
  return bar_figure(names, values, {.x = "item", .y = "bias"});
}

Json to_json(const std::vector<ScoredItem>& list) {
  Json json = Json::array();
  for (const auto& [item, score] : list) json.push_back({{"item", item}, {"bias", score}});
  return json;
}

int interpret(const InterpretRatingsOptions& o) {
  apply(o.common);
  const fs::path run(o.run);
  const Json record = read_run(run);
  const std::string arch = record.at("settings").value("arch", "");
  if (arch != "dot") {
    throw Error(ErrorCode::unsupported, "only factors and biases can be drawn", {{"arch", arch}},
                "train with --arch dot; `kindling recommend --similar` works for all");
  }
  const Recommender model(model_path(run));
  const auto best = model.best_biases(shown_biases), worst = model.worst_biases(shown_biases);
  const std::vector<FigureSection> sections = {
      {"The map of items",
       "The items that most users have rated, by the first two principal components of their factors: what lies close is liked by "
       "the same people.",
       model.map()},
      {"Liked by all", "The highest biases: what users rate high even where their taste says otherwise.", bias_figure(best)},
      {"Disliked by all", "The lowest biases: what users rate low even where it should suit them.", bias_figure(worst)}};
  const fs::path output = o.output.empty() ? run / "report.html" : fs::path(o.output);
  const std::string name = fs::path(record.at("data").at("path").get<std::string>()).filename().string();
  write_file(output, figure_page(fmt::format("{}: what was learnt of the items", name), sections));
  if (o.common.json)
    put_json({{"run", o.run}, {"report", output.string()}, {"best", to_json(best)}, {"worst", to_json(worst)}});
  else if (!o.common.quiet)
    put(model.bias_table() + fmt::format("\nreport  {}\n", safe(output.string())));
  return 0;
}

}  // namespace

Command add_interpret_ratings(CLI::App& program) {
  auto o = std::make_shared<InterpretRatingsOptions>();
  CLI::App* app = program.add_subcommand("interpret", "Draw what a model of ratings has learnt of the items");
  app->add_option("RUN", o->run, "folder of the run")->required();
  app->add_option("-o,--output", o->output, "where the page goes (RUN/report.html)")->type_name("FILE.html");
  add_common_options(*app, o->common);
  app->footer(R"(Example:
  kindling interpret runs/ratings-1)");
  return {app, [o] { return interpret(*o); }};
}

}  // namespace kindling::cli
