#include <kindling/tabular.hpp>

#include "cli/output.hpp"
#include "cli/table_set.hpp"
#include "cli/table_task.hpp"
#include "cli/watched_fit.hpp"

#include <algorithm>
#include <chrono>
#include <memory>

#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace kindling::cli {

namespace {

struct TrainTableOptions : RunFlags {
  CommonOptions common;
  TableFlags data;
  std::string arch = "tabm";
  std::optional<int> epochs;
  std::optional<double> lr;
  std::optional<int> bs;
  std::optional<double> wd;
  std::vector<int> layers = {200, 100};
  std::vector<double> y_range;
  std::vector<std::string> metrics;
  bool class_weights = false;
  bool replacement = false;
  std::optional<int> folds;
};

struct TableSettings {
  bool tabm = true;
  int epochs = 0;
  double lr = 0;
  int bs = 0;
  std::vector<std::string> metrics;
};

TableSettings settings_of(const TrainTableOptions& o, const TableSet& set) {
  TableSettings s{.tabm = o.arch == "tabm"};
  s.epochs = o.epochs.value_or(s.tabm ? 8 : 5);
  s.lr = o.lr.value_or(s.tabm ? 3e-3 : 1e-2);
  s.bs = o.bs.value_or(s.tabm ? 256 : 64);
  const auto rows = static_cast<int>(set.splits.train.size());
  while (!o.bs && s.bs > 8 && rows / s.bs < 8) s.bs /= 2;
  s.bs = std::min(s.bs, rows);
  s.metrics = o.metrics;
  if (s.metrics.empty()) s.metrics = set.classes ? std::vector<std::string>{"accuracy"} : std::vector<std::string>{"rmse", "r2_score"};
  return s;
}

TabularData make_data(const TableSet& set, const TrainTableOptions& o, const TableSettings& s, Listener& listener) {
  TabularProcs procs = {Categorify(), FillMissing({.fill_new = true})};
  if (s.tabm)
    procs.push_back(RobustScale());
  else
    procs.push_back(Normalize());
  const TabularData data(set.table, {.procs = procs,
                                     .cat_names = set.cat,
                                     .cont_names = set.cont,
                                     .y_names = {set.target},
                                     .y_block = set.classes ? CategoryBlock() : RegressionBlock(),
                                     // With folds every row validates once, and all of them teach.
                                     .splits = o.folds ? std::nullopt : std::optional(set.splits)});
  for (const auto& [column, n] : data.filled())
    listener.message(Level::info, fmt::format("{}: {} missing, filled with the training rows' median", safe(column), n));
  for (const auto& [column, n] : data.unknown())
    listener.message(Level::info, fmt::format("{}: {} missing or only in validation rows: class #na#", safe(column), n));
  return data;
}

LoaderOptions loader_options(const TrainTableOptions& o, const TableSettings& s) {
  return {.bs = s.bs,
          .val_bs = std::max(s.bs, 1024),
          .replacement = o.replacement,
          .seed = o.common.seed,
          .device = s.tabm ? device_of(o.common) : small_net_device(o.common, s.bs)};
}

Learner make_learner(DataLoaders dls, const TrainTableOptions& o, const TableSettings& s, std::shared_ptr<Listener> listener) {
  std::vector<Metric> metrics;
  for (const std::string& name : s.metrics) metrics.push_back(metric_from_name(name));
  if (s.tabm) {
    if (o.class_weights || !o.y_range.empty())
      throw Error(ErrorCode::usage, "--class-weights and --y-range are for --arch fastai", {}, "add --arch fastai");
    return tabm_learner(std::move(dls), {.metrics = metrics, .lr = s.lr, .wd = o.wd.value_or(0.02), .listener = listener});
  }
  TabularLearnerOptions options{.layers = o.layers, .metrics = metrics, .lr = s.lr, .wd = o.wd, .listener = listener};
  if (o.y_range.size() == 2) options.y_range = {{o.y_range[0], o.y_range[1]}};
  if (o.class_weights) options.loss_func = CrossEntropyLossFlat({.weight = class_weights(dls)});
  return tabular_learner(std::move(dls), std::move(options));
}

Json data_json(const TableSet& set, const TrainTableOptions& o) {
  Json left_out = Json::array();
  for (const LeftOut& l : set.left_out) left_out.push_back({{"column", l.column}, {"reason", l.reason}});
  return {{"path", o.data.data},
          {"folder", absolute_path(o.data.data)},
          {"sha256", sha256_of(o.data.data)},
          {"rows", set.table.n_rows()},
          {"rows_without_target", set.rows_without_target},
          {"target", set.target},
          {"target_kind", set.classes ? "classes" : "number"},
          {"cat", set.cat},
          {"cont", set.cont},
          {"left_out", std::move(left_out)},
          {"train", set.splits.train.size()},
          {"valid", set.splits.valid.size()},
          {"split", set.split_rule}};
}

void tell_data(const TableSet& set, const TrainTableOptions& o, const Json& data, Listener& listener) {
  Json event = {{"event", "data"}, {"task", "table"}};
  event.update(data);
  listener.event(event);
  listener.message(Level::info,
                   fmt::format("{}: {} rows, {} train, {} valid ({})\n{}", safe(o.data.data), set.table.n_rows(),
                               set.splits.train.size(), set.splits.valid.size(), set.split_rule, columns_in_words(set)));
}

/// What can be had without a net, and columns that hold the answer.
Json tell_baselines(const DataLoaders& dls, Listener& listener) {
  Json list = Json::array();
  const auto found = baselines(dls);
  for (const Baseline& b : found) {
    Json figures = Json::object();
    for (const auto& [name, value] : b.figures) figures[name] = value;
    list.push_back({{"name", b.name}, {"figures", figures}});
  }
  if (!found.empty()) listener.message(Level::info, "\nwithout a net:\n" + to_string(found) + "\n");
  listener.event({{"event", "baselines"}, {"baselines", list}});
  for (const LeakingColumn& leak : leaking_columns(dls)) {
    listener.message(Level::warning,
                     fmt::format("'{}' alone predicts the target ({:.4f}): if it will not be known when the model is used, "
                                 "leave it out with --drop {}",
                                 safe(leak.column), leak.score, shell_word(leak.column)));
    listener.event({{"event", "leak"}, {"column", leak.column}, {"score", leak.score}});
  }
  return list;
}

/// The model's figures at its end: those of the weights that are kept.
Json final_metrics(Learner& learn) {
  const auto values = learn.validate();
  Json metrics = {{"valid_loss", values.front()}};
  for (std::size_t m = 0; m + 1 < values.size(); ++m) metrics[learn.metrics()[m].name()] = values[m + 1];
  return metrics;
}

/// The flags, with what those come to that were left out.
Json settings_json(const FlagSettings& flags, const TableSettings& s) {
  Json json = flags.to_json();
  json["epochs"] = s.epochs;
  json["lr"] = s.lr;
  json["bs"] = s.bs;
  json["metrics"] = s.metrics;
  json["threads"] = at::get_num_threads();
  return json;
}

void tell_result(const Run::Outcome& outcome, const RunFolder& run, Listener& listener) {
  std::vector<std::string> figures;
  for (const auto& [name, value] : outcome.metrics.items()) {
    if (name != "train_loss") figures.push_back(fmt::format("{} {:.4f}", name, value.get<double>()));
  }
  tell_end(outcome, run, fmt::format("trained in {}: {}", format_duration(outcome.seconds), fmt::join(figures, ", ")),
           fmt::format("  kindling predict {} NEW.csv\n  kindling interpret {}",
                       shell_word(run.file(model_file).string()), shell_word(run.path().string())),
           listener);
}

void fit(Learner& learn, const TableSettings& s, Listener& listener) {
  if (!s.tabm) return learn.fit_one_cycle(s.epochs, s.lr);
  const int best = fit_tabm(learn, s.epochs, s.lr);
  listener.message(Level::info, fmt::format("kept: epoch {}, with the lowest validation loss", best));
}

/// What was said of each row by the model that had not seen it.
void save_out_of_fold(const Folds& folds, const TabularEncoder& encoder, const fs::path& path) {
  std::string text = "row";
  const auto vocab = encoder.vocab();
  for (const std::string& name : vocab.empty() ? encoder.y_names() : vocab) text += "," + csv_field(name);
  text += "\n";
  const auto preds = folds.preds.view({folds.preds.size(0), -1}).to(torch::kFloat32).contiguous();
  const float* said = preds.const_data_ptr<float>();
  for (std::int64_t row = 0; row < preds.size(0); ++row) {
    fmt::format_to(std::back_inserter(text), "{}", row);
    for (std::int64_t c = 0; c < preds.size(1); ++c) fmt::format_to(std::back_inserter(text), ",{}", *said++);
    text += '\n';
  }
  write_file(path, text);
}

/// Means over the folds, each on the rows that it had not seen.
Json fold_metrics(const Folds& folds, const std::vector<std::string>& names, Listener& listener) {
  Json metrics = Json::object();
  for (std::size_t m = 0; m < names.size(); ++m) {
    double sum = 0;
    std::vector<std::string> each;
    for (const auto& values : folds.values) {
      sum += values.at(m);
      each.push_back(fmt::format("{:.4f}", values.at(m)));
    }
    metrics[names[m]] = sum / static_cast<double>(folds.values.size());
    listener.message(Level::info, fmt::format("{}: {}", names[m], fmt::join(each, ", ")));
  }
  return metrics;
}

Json train_in_folds(const TabularData& data, const TrainTableOptions& o, const TableSettings& s, RunFolder& run,
                    const std::shared_ptr<Listener>& listener) {
  std::vector<std::string> names;
  int number = 0;
  const auto make = [&](DataLoaders dls) {
    listener->message(Level::info, fmt::format("fold {} of {}", ++number, *o.folds));
    Learner learn = make_learner(std::move(dls), o, s, listener);
    names = {"valid_loss"};
    for (const Metric& m : learn.metrics()) names.push_back(m.name());
    return learn;
  };
  Folds folds = train_folds(data, make, [&](Learner& learn) { fit(learn, s, *listener); },
                            {.k = *o.folds, .seed = o.common.seed, .loaders = loader_options(o, s), .listener = listener});
  save_out_of_fold(folds, data.encoder(), run.file("out_of_fold.csv"));
  folds.learn.export_to(run.file(model_file));
  return fold_metrics(folds, names, *listener);
}

int train(TrainTableOptions& o, FlagSettings& flags) {
  const auto start = Run::Clock::now();
  Beginning beginning = begin_run(o, o.data.data, flags, o.common);
  if (beginning.ended) return 0;
  const auto listener = beginning.listener;
  const TableSet set = read_table_set(o.data, o.common, *listener);
  const Json what = data_json(set, o);
  if (beginning.folder) check_same_data(beginning.before, what, "rows");
  const TableSettings settings = settings_of(o, set);
  tell_data(set, o, what, *listener);
  const TabularData data = make_data(set, o, settings, *listener);
  const DataLoaders dls = data.dataloaders(loader_options(o, settings));
  Json record = run_record(settings_json(flags, settings), what);
  record["task"] = "table";
  record["baselines"] = tell_baselines(dls, *listener);
  if (!settings.tabm) spare_threads(o.common, settings.bs);
  Learner learn = make_learner(dls, o, settings, listener);
  Run run(o, o.data.data, std::move(record), std::move(beginning));
  const Run::Outcome outcome =
      o.folds ? run.work([&] { return train_in_folds(data, o, settings, run.folder(), listener); }, start)
              : run.train(learn, [&] { fit(learn, settings, *listener); }, start,
                          // TabM ends with the weights of its best epoch; others with those of the table's last line.
                          settings.tabm ? std::function<Json()>([&] { return final_metrics(learn); }) : nullptr);
  tell_result(outcome, run.folder(), *listener);
  return exit_code_of(outcome);
}

void add_model_flags(CLI::App& app, TrainTableOptions& o, FlagSettings& flags) {
  flags.add(app.add_option("--arch", o.arch, "tabm, or fastai's net (tabm)")->check(CLI::IsMember({"tabm", "fastai"}))->type_name("NAME"),
            "arch", o.arch);
  flags.add(app.add_option("--epochs", o.epochs, "epochs (8; 5 of fastai's)")->check(CLI::Range(1, 100000))->type_name("N"),
            "epochs", o.epochs);
  flags.add(app.add_option("--lr", o.lr, "learning rate at its height (0.003; 0.01 of fastai's)")
                ->check(CLI::PositiveNumber)
                ->type_name("RATE"),
            "lr", o.lr);
  flags.add(app.add_option("--bs", o.bs, "rows in a batch (256; 64 of fastai's)")->check(CLI::Range(2, 1000000))->type_name("N"),
            "bs", o.bs);
  flags.add(app.add_option("--wd", o.wd, "weight decay")->check(CLI::NonNegativeNumber)->type_name("RATE"), "wd", o.wd);
  flags.add(app.add_option("--layers", o.layers, "widths of fastai's hidden layers (200,100)")
                ->delimiter(',')
                ->allow_extra_args(false)
                ->type_name("N,N"),
            "layers", o.layers);
  flags.add(app.add_option("--y-range", o.y_range, "lowest and highest number that fastai's net says")
                ->delimiter(',')
                ->expected(2)
                ->allow_extra_args(false)
                ->type_name("LOW,HIGH"),
            "y_range", o.y_range);
  flags.add(app.add_option("--metrics", o.metrics, "columns of the printed table (accuracy; rmse,r2_score)")
                ->delimiter(',')
                ->allow_extra_args(false)
                ->type_name("NAMES"),
            "metrics", o.metrics);
  flags.add(app.add_flag("--class-weights", o.class_weights, "rare classes count as much as frequent ones (fastai's net)"),
            "class_weights", o.class_weights);
  flags.add(app.add_option("--folds", o.folds,
                           "train so many models, each with another part of the rows for validation, and average them")
                ->check(CLI::Range(2, 100))
                ->type_name("K"),
            "folds", o.folds);
  flags.add(app.add_flag("--replacement", o.replacement, "draw an epoch's rows with replacement, as fastai since 2.7.15"),
            "replacement", o.replacement);
}

void note_shared_flags(CLI::App& app, TrainTableOptions& o, FlagSettings& flags) {
  note_table_flags(app, o.data, flags);
  flags.add(app.get_option("--threads"), "threads", o.common.threads);
  flags.add(app.get_option("--device"), "device", o.common.device);
  flags.add(app.get_option("--seed"), "seed", o.common.seed);
}

}  // namespace

Command add_train_table(CLI::App& program) {
  auto o = std::make_shared<TrainTableOptions>();
  auto flags = std::make_shared<FlagSettings>();
  CLI::App* app = program.add_subcommand("train", "Fit a model to a table");
  add_table_flags(*app, o->data);
  add_run_flags(*app, *o);
  add_model_flags(*app, *o, *flags);
  add_common_options(*app, o->common);
  note_shared_flags(*app, *o, *flags);
  app->footer(R"(Examples:
  kindling train adult.csv --target salary
  kindling train adult.csv --target salary --cat workclass,education --cont age,education-num --arch fastai
  kindling train sales.csv --target amount --time date
  kindling train --resume runs/adult-1            after Ctrl-C, a crash or a power cut)");
  return {app, [o, flags] { return train(*o, *flags); }};
}

}  // namespace kindling::cli
