#include <kindling/core/interrupt.hpp>
#include <kindling/train/plots.hpp>

#include "cli/command.hpp"
#include "cli/output.hpp"
#include "cli/photo_learner.hpp"

#include <cmath>
#include <memory>

#include <fmt/format.h>
#include <torch/utils.h>

namespace kindling::cli {

namespace {

struct LrFindFlags {
  CommonOptions common;
  DataFlags data;
  LearnerFlags learner;
  double start_lr = 1e-7;
  double end_lr = 10;
  int num_it = 100;
  bool no_stop_div = false;
  std::string output = "lr_find.html";
};

void check(const LrFindFlags& o) {
  if (o.start_lr >= o.end_lr) {
    throw Error(ErrorCode::usage, "--start-lr must be below --end-lr",
                {{"--start-lr", fmt::to_string(o.start_lr)}, {"--end-lr", fmt::to_string(o.end_lr)}});
  }
  const fs::path ending = fs::path(o.output).extension();
  if (ending != ".html" && ending != ".json") {
    throw Error(ErrorCode::usage, "the chart is a page or a specification", {{"--output", o.output}},
                "give a name that ends in .html or .json");
  }
}

Json to_json(const LrFindResult& found, const LrFindFlags& o) {
  Json json = {{"data", o.data.data}, {"arch", o.learner.arch}};
  for (const auto& [rule, s] : found.suggestions) json[rule] = s.lr;
  json["lrs"] = found.curve.lrs;
  json["losses"] = found.curve.losses;
  json["figure"] = o.output;
  return json;
}

void show(const LrFindResult& found, const LrFindFlags& o) {
  std::vector<std::vector<std::string>> rows = {{"rule", "learning rate", "loss there"}};
  for (const auto& [rule, s] : found.suggestions) {
    const bool known = !std::isnan(s.lr);
    rows.push_back({rule, known ? fmt::format("{:.2e}", s.lr) : "-", known ? fmt::format("{:.4f}", s.at_loss) : "-"});
  }
  put(in_columns(rows, {false, true, true}));
  put(fmt::format("\ncurve  {}\n", safe(o.output)));
  if (std::isnan(found.valley))
    put("\nthe loss exploded too soon for a suggestion: try a lower --start-lr and --end-lr\n");
  else
    put(fmt::format("\ntry it:\n  kindling train {} --lr {:.2g}\n", shell_word(o.data.data), found.valley));
}

int lr_find(const LrFindFlags& o) {
  install_interrupt_handler();
  apply(o.common);
  check(o);
  // One object is all that --json prints here, so events are not passed on.
  const auto listener = o.common.json ? silent_listener() : make_listener(o.common);
  const LearnerSettings settings = learner_settings(o.learner, !o.data.no_exif, listener);
  torch::manual_seed(o.common.seed);
  const PhotoSet set = read_photo_set(o.data, o.common, Purpose::train, listener);
  const int bs = choose_bs(o.learner, set, *listener);
  Learner learn = vision_learner(photo_loaders(set, settings, bs, o.common), o.learner.arch,
                                 {.pretrained = !o.learner.no_pretrained,
                                  .weights = settings.weights,
                                  .listener = listener});
  const LrFindResult found = learn.lr_find({.start_lr = o.start_lr,
                                            .end_lr = o.end_lr,
                                            .num_it = o.num_it,
                                            .stop_div = !o.no_stop_div});
  if (found.interrupted) throw Error(ErrorCode::interrupted, "stopped before the curve was whole");
  plot_lr_find(found).save(o.output);
  if (o.common.json)
    put_json(to_json(found, o));
  else
    show(found, o);
  return 0;
}

}  // namespace

Command add_lr_find(CLI::App& program) {
  auto o = std::make_shared<LrFindFlags>();
  CLI::App* app = program.add_subcommand("lr-find", "Find a learning rate: a mock training whose rate grows");
  add_data_flags(*app, o->data);
  add_learner_flags(*app, o->learner);
  app->add_option("--start-lr", o->start_lr, "first learning rate (1e-7)")
      ->check(CLI::PositiveNumber)
      ->type_name("RATE");
  app->add_option("--end-lr", o->end_lr, "last learning rate (10)")->check(CLI::PositiveNumber)->type_name("RATE");
  app->add_option("--num-it", o->num_it, "batches (100)")->check(CLI::Range(6, 100000))->type_name("N");
  app->add_flag("--no-stop-div", o->no_stop_div, "go on to the end, even where the loss explodes");
  app->add_option("-o,--output", o->output, "where the chart goes, a page or a specification (lr_find.html)")
      ->type_name("FILE.html|json");
  add_common_options(*app, o->common);
  app->footer(R"(Nothing is trained: the weights of the mock training are thrown away. The rules are fastai's; `valley`
is its default and serves as --lr of `kindling train`.

Examples:
  kindling lr-find photos/
  kindling lr-find pets/ --label name-case:cat,dog --arch resnet34 -o pets_lr.html
  kindling lr-find photos/ --json)");
  return {app, [o] { return lr_find(*o); }};
}

}  // namespace kindling::cli
