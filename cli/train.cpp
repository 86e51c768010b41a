#include <kindling/core/interrupt.hpp>
#include <kindling/nn/registry.hpp>
#include <kindling/vision.hpp>

#include "cli/command.hpp"
#include "cli/output.hpp"
#include "cli/photo_set.hpp"
#include "cli/run_folder.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <unordered_map>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

namespace kindling::cli {

namespace {

constexpr int usual_bs = 64;
constexpr int least_steps = 4;
constexpr int run_format_version = 1;

struct TrainOptions {
  CommonOptions common;
  DataFlags data;
  std::string run;
  std::string arch = "efficientnet_lite0";
  int epochs = 3;
  int freeze_epochs = 1;
  double lr = 2e-3;
  std::optional<int> bs;
  std::optional<int> size;
  std::string resize = "crop";
  std::optional<double> wd;
  std::vector<std::string> metrics = {"error_rate"};
  bool no_pretrained = false;
  std::string weights;
  bool exact_decoding = false;
};

/// What the flags come to once the data is known.
struct Settings {
  int bs = 0;
  int size = 0;
  ResizeMethod resize = ResizeMethod::crop;
  std::vector<Metric> metrics;
  ImageBlockOptions image;
  std::string weights;  ///< registry entry; empty: none
};

/// A name on the command line that is not known is wrong usage, not a missing file.
template <class Find>
auto named_on_command_line(Find find) {
  try {
    return find();
  } catch (const Error& e) {
    if (e.code() != ErrorCode::not_found) throw;
    throw Error(ErrorCode::usage, e.message(), e.facts(), e.hint());
  }
}

Settings settings_of(const TrainOptions& o) {
  const ModelInfo info = named_on_command_line([&] { return model_info(o.arch); });
  Settings s{.size = o.size.value_or(info.size),
             .resize = resize_method_from(o.resize),
             .image = {.exif_orientation = !o.data.no_exif, .reduced_decoding = !o.exact_decoding}};
  for (const std::string& name : o.metrics) s.metrics.push_back(metric_from_name(name));
  if (o.no_pretrained && !o.weights.empty()) {
    throw Error(ErrorCode::usage, "--weights and --no-pretrained exclude each other", {},
                "leave one of them out");
  }
  if (!o.no_pretrained) s.weights = o.weights.empty() ? info.weights : o.weights;
  return s;
}

/// Weights that must be fetched first are fetched before anything else, so that a training never fails after
/// minutes of checking photos.
void fetch_weights(const Settings& s, const std::shared_ptr<Listener>& listener) {
  if (s.weights.empty()) return;
  const PretrainedEntry& entry =
      named_on_command_line([&]() -> const PretrainedEntry& { return find_pretrained(s.weights); });
  if (!fs::exists(cached_weights_path(entry))) pretrained_weights(entry.name, listener);
}

/// The batch that --bs names; left out 64, or fewer where the training photos would not fill a few of those.
int choose_bs(const TrainOptions& o, int photos, Listener& listener) {
  if (o.bs) return *o.bs;
  int bs = usual_bs;
  while (bs > least_steps && photos / bs < least_steps) bs /= 2;
  bs = std::min(bs, photos);
  if (bs != usual_bs) {
    listener.message(Level::info,
                     fmt::format("batches of {}, since {} training photos make too few of {} (--bs "
                                 "chooses another size)",
                                 bs, photos, usual_bs));
  }
  return bs;
}

DataLoaders make_loaders(const PhotoSet& set, const TrainOptions& o, const Settings& s) {
  auto labels = std::make_shared<std::unordered_map<std::string, std::string>>();
  Items items;
  for (const Photo& photo : set.photos) {
    labels->emplace(photo.path.string(), photo.label);
    items.emplace_back(photo.path);
  }
  const DataBlock block({.blocks = {ImageBlock(s.image), CategoryBlock()},
                         .splitter = [splits = set.splits](const Items&) { return splits; },
                         .get_y = [labels](const fs::path& path) { return labels->at(path.string()); },
                         .item_tfms = {Resize(s.size, {.method = s.resize})}});
  return block.dataloaders(std::move(items), {.bs = s.bs,
                                              .num_workers = o.common.threads > 0 ? o.common.threads : -1,
                                              .seed = o.common.seed,
                                              .device = torch::Device(o.common.device)});
}

Json data_json(const PhotoSet& set, const TrainOptions& o) {
  return {{"path", o.data.data},
          {"photos", set.photos.size()},
          {"classes", set.classes()},
          {"train", set.splits.train.size()},
          {"valid", set.splits.valid.size()},
          {"split", set.split_rule},
          {"excluded", set.excluded.size()}};
}

Json settings_json(const TrainOptions& o, const Settings& s) {
  Json json = {{"arch", o.arch},
               {"epochs", o.epochs},
               {"freeze_epochs", o.freeze_epochs},
               {"lr", o.lr},
               {"bs", s.bs},
               {"size", s.size},
               {"resize", o.resize},
               {"wd", nullptr},
               {"metrics", o.metrics},
               {"label", o.data.label},
               {"valid_pct", nullptr},
               {"weights", s.weights},
               {"exif_orientation", s.image.exif_orientation},
               {"reduced_decoding", s.image.reduced_decoding},
               {"threads", at::get_num_threads()},
               {"device", o.common.device},
               {"seed", o.common.seed}};
  if (o.wd) json["wd"] = *o.wd;
  if (o.data.valid_pct) json["valid_pct"] = *o.data.valid_pct;
  return json;
}

/// Everything that is needed to know what was done, and to do it again.
Json run_json(const PhotoSet& set, const TrainOptions& o, const Settings& s, const Learner& learn) {
  Json data = data_json(set, o);
  data["sha256"] = set.fingerprint();
  Json excluded = Json::array();
  for (const Excluded& e : set.excluded)
    excluded.push_back({{"file", e.name}, {"code", e.code}, {"reason", e.reason}});
  data["excluded"] = std::move(excluded);
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return {{"format", "kindling.run"},
          {"format_version", run_format_version},
          {"kindling", KINDLING_VERSION},
          {"torch", TORCH_VERSION},
          {"started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now))},
          {"status", "running"},
          {"settings", settings_json(o, s)},
          {"data", std::move(data)},
          {"weights", learn.provenance}};
}

void write_json(const fs::path& path, const Json& json) {
  write_file(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

/// Losses and metrics of the last epoch. NaN where there was none.
Json last_metrics(const Learner& learn) {
  Json metrics = Json::object();
  if (learn.recorder().history.empty()) return metrics;
  const EpochRecord& last = learn.recorder().history.back();
  metrics["train_loss"] = last.train_loss;
  metrics["valid_loss"] = last.valid_loss;
  for (std::size_t m = 0; m < last.metrics.size(); ++m)
    metrics[learn.recorder().metric_names[m]] = last.metrics[m];
  return metrics;
}

/// Keeps the table on disk as it grows. From its first row on the run is worth keeping.
struct SaveHistory {
  static constexpr int order = 65;  // after the recorder, 50
  RunFolder* run;
  void after_epoch(Learner& learn) const {
    learn.recorder().save_csv(run->file(history_file));
    run->keep();
  }
};

void fit(Learner& learn, const TrainOptions& o, RunFolder& run) {
  const Callbacks cbs = {SaveHistory{&run}};
  if (o.no_pretrained)
    learn.fit_one_cycle(o.epochs, o.lr, {.wd = o.wd, .cbs = cbs});
  else
    learn.fine_tune(o.epochs, {.base_lr = o.lr, .freeze_epochs = o.freeze_epochs, .wd = o.wd, .cbs = cbs});
}

void tell_data(const PhotoSet& set, const TrainOptions& o, Listener& listener) {
  Json event = {{"event", "data"}};
  event.update(data_json(set, o));
  listener.event(event);
  listener.message(
      Level::info,
      fmt::format("{}: {} of {}; {}", safe(o.data.data), count_of(set.photos.size(), "photo", "photos"),
                  count_of(set.classes().size(), "class", "classes"), split_in_words(set)));
}

std::string result_line(const Learner& learn, const PhotoSet& set, double seconds) {
  std::string text = fmt::format("trained in {}", format_duration(seconds));
  const Json metrics = last_metrics(learn);
  if (metrics.contains("error_rate")) {
    const double rate = metrics["error_rate"].get<double>();
    const auto n = set.splits.valid.size();
    const auto wrong = static_cast<std::size_t>(std::lround(rate * static_cast<double>(n)));
    text += fmt::format(": {} of {} validation photos wrong ({:.1f} %)", wrong, n, 100 * rate);
  }
  return text;
}

void tell_result(const Learner& learn, const PhotoSet& set, const RunFolder& run, const TrainOptions& o,
                 double seconds, Listener& listener) {
  const std::string model = shell_word(run.file(model_file).string());
  std::string text = learn.interrupted ? "stopped; what was learnt so far is saved\n"
                                       : "\n" + result_line(learn, set, seconds) + "\n";
  text +=
      fmt::format("  run    {}\n  model  {}\n\ntry it:\n  kindling predict {} PHOTO...\n  kindling info {}",
                  run.path().string(), run.file(model_file).string(), model, model);
  listener.message(Level::info, text);
  listener.event({{"event", learn.interrupted ? "interrupted" : "done"},
                  {"run", run.path().string()},
                  {"model", run.file(model_file).string()},
                  {"metrics", last_metrics(learn)},
                  {"seconds", seconds}});
}

int train(const TrainOptions& o) {
  const auto start = std::chrono::steady_clock::now();
  install_interrupt_handler();
  apply(o.common);
  check_run_folder(o.run);
  const auto listener = std::make_shared<EventLog>(make_listener(o.common));
  Settings settings = settings_of(o);
  fetch_weights(settings, listener);
  torch::manual_seed(o.common.seed);
  const PhotoSet set = read_photo_set(o.data, o.common, Purpose::train, listener);
  tell_data(set, o, *listener);
  settings.bs = choose_bs(o, static_cast<int>(set.splits.train.size()), *listener);
  Learner learn = vision_learner(make_loaders(set, o, settings), o.arch,
                                 {.metrics = settings.metrics,
                                  .pretrained = !o.no_pretrained,
                                  .weights = settings.weights,
                                  .listener = listener});
  RunFolder run(o.run, o.data.data);
  Json record = run_json(set, o, settings, learn);
  write_json(run.file(run_file), record);
  listener->write_to(run.file(events_file));
  listener->event({{"event", "train"}, {"run", run.path().string()}, {"settings", record["settings"]}});
  fit(learn, o, run);
  learn.recorder().save_csv(run.file(history_file));
  learn.export_to(run.file(model_file));
  run.keep();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  record["status"] = learn.interrupted ? "interrupted" : "done";
  record["metrics"] = last_metrics(learn);
  record["seconds"] = seconds;
  write_json(run.file(run_file), record);
  tell_result(learn, set, run, o, seconds, *listener);
  return learn.interrupted ? exit_code(ErrorCode::interrupted) : 0;
}

void add_train_flags(CLI::App& app, TrainOptions& o) {
  app.add_option("-o,--output", o.run, "folder of the run (runs/<name of DATA>-<n>)")->type_name("RUN");
  app.add_option("--arch", o.arch, "the model, one of `kindling models` (efficientnet_lite0)")
      ->type_name("NAME");
  app.add_option("--epochs", o.epochs, "epochs over all layers (3)")
      ->check(CLI::Range(1, 100000))
      ->type_name("N");
  app.add_option("--freeze-epochs", o.freeze_epochs, "epochs of the new head alone before them (1)")
      ->check(CLI::Range(0, 100000))
      ->type_name("N");
  app.add_option("--lr", o.lr, "base learning rate (0.002)")->check(CLI::PositiveNumber)->type_name("RATE");
  app.add_option("--bs", o.bs, "photos in a batch (64, fewer for a small data set)")
      ->check(CLI::Range(2, 100000))
      ->type_name("N");
  app.add_option("--size", o.size, "side of the square that photos are brought to (what the model is for)")
      ->check(CLI::Range(32, 4096))
      ->type_name("PIXELS");
  app.add_option("--resize", o.resize, "how: crop, pad or squish (crop)")
      ->check(CLI::IsMember({"crop", "pad", "squish"}))
      ->type_name("HOW");
  app.add_option("--wd", o.wd, "weight decay (0.01)")->check(CLI::NonNegativeNumber)->type_name("RATE");
  app.add_option("--metrics", o.metrics,
                 "columns of the table: error_rate, accuracy, top_k_accuracy (error_rate)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAMES");
  app.add_option("--weights", o.weights,
                 "pretrained weights, one of `kindling weights list` (the model's own)")
      ->type_name("NAME");
  app.add_flag("--no-pretrained", o.no_pretrained,
               "begin with random weights; all layers train from the start");
  app.add_flag("--exact-decoding", o.exact_decoding, "decode every pixel of large JPEGs (as fastai; slower)");
}

}  // namespace

Command add_train(CLI::App& program) {
  auto o = std::make_shared<TrainOptions>();
  CLI::App* app = program.add_subcommand("train", "Fit a model to a folder of photos");
  add_data_flags(*app, o->data);
  add_train_flags(*app, *o);
  add_common_options(*app, o->common);
  app->footer(R"(Every file is opened first; those that cannot be read are named and left out. Ctrl-C ends
the training at the next batch and keeps what was learnt.

Examples:
  kindling train photos/                                photos/cat/*.jpg, photos/dog/*.jpg …
  kindling train pets/ --label name-case:cat,dog --size 192 --bs 32
  kindling train photos/ --arch resnet34 --epochs 5 --metrics error_rate,accuracy -o runs/second)");
  return {app, [o] { return train(*o); }};
}

}  // namespace kindling::cli
