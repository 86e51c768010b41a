#include <kindling/core/interrupt.hpp>
#include <kindling/nn/registry.hpp>
#include <kindling/train/callback_tracker.hpp>
#include <kindling/train/checkpoint.hpp>
#include <kindling/vision.hpp>

#include "cli/command.hpp"
#include "cli/health.hpp"
#include "cli/label_rule.hpp"
#include "cli/output.hpp"
#include "cli/photo_learner.hpp"
#include "cli/photo_set.hpp"
#include "cli/run_folder.hpp"
#include "cli/train_settings.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <unordered_map>

#include <ATen/Context.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

namespace kindling::cli {

namespace {

using Clock = std::chrono::steady_clock;


/// What the flags come to once the data is known.
struct Settings : LearnerSettings {
  int bs = 0;
  std::vector<std::string> metric_names;
  std::vector<Metric> metrics;
};

LearnerFlags learner_flags(const TrainOptions& o) {
  return {.arch = o.arch,
          .bs = o.bs,
          .size = o.size,
          .resize = o.resize,
          .no_pretrained = o.no_pretrained,
          .weights = o.weights,
          .exact_decoding = o.exact_decoding};
}

Settings settings_of(const TrainOptions& o, const std::shared_ptr<Listener>& listener) {
  Settings s;
  s.metric_names = o.metrics;
  if (o.metrics.empty()) s.metric_names = {gives_several_labels(o.data.label) ? "accuracy_multi" : "error_rate"};
  for (const std::string& name : s.metric_names) s.metrics.push_back(metric_from_name(name));
  static_cast<LearnerSettings&>(s) = learner_settings(learner_flags(o), !o.data.no_exif, listener);
  return s;
}

Cache cache_of(const std::string& name) {
  if (name == "off") return Cache::off;
  if (name == "memory") return Cache::memory;
  return name == "disk" ? Cache::disk : Cache::automatic;
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

/// The flags, with what those come to that were left out.
Json settings_json(const TrainSettings& flags, const Settings& s) {
  Json json = flags.to_json();
  json["bs"] = s.bs;
  json["size"] = s.size;
  json["metrics"] = s.metric_names;
  json["weights"] = s.weights;
  json["threads"] = at::get_num_threads();
  return json;
}

/// Everything that is needed to know what was done, and to do it again.
Json run_json(const PhotoSet& set, const TrainOptions& o, Json settings, const Learner& learn) {
  Json data = data_json(set, o);
  std::error_code ignored;
  data["folder"] = fs::weakly_canonical(o.data.data, ignored).string();
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
          {"settings", std::move(settings)},
          {"data", std::move(data)},
          {"weights", learn.provenance}};
}

/// Losses and metrics of an epoch.
Json metrics_json(const Learner& learn, const EpochRecord& row) {
  Json metrics = {{"train_loss", row.train_loss}, {"valid_loss", row.valid_loss}};
  for (std::size_t m = 0; m < row.metrics.size(); ++m) metrics[learn.recorder().metric_names[m]] = row.metrics[m];
  return metrics;
}

/// Keeps the table on disk as it grows. Once a batch was trained on the run is worth keeping.
struct KeepRun {
  static constexpr int order = 65;  // after the recorder, 50
  static constexpr bool fit_only = true;
  static constexpr bool skip_lr_find = true;
  RunFolder* run;
  void after_batch(Learner&) const { run->keep(); }
  void after_epoch(Learner& learn) const { learn.recorder().save_csv(run->file(history_file)); }
};

/// Ends the fit when its time is up.
struct StopAfter {
  static constexpr int order = 95;
  static constexpr bool run_valid = false;
  static constexpr bool fit_only = true;
  static constexpr bool skip_lr_find = true;
  double minutes;
  Clock::time_point start = Clock::now();
  bool stopped = false;
  void after_batch(Learner& learn) {
    if (std::chrono::duration<double>(Clock::now() - start).count() < 60 * minutes) return;
    stopped = true;
    learn.interrupted = true;
    throw CancelFit{};
  }
};

/// A training with everything that watches over it.
struct Watched {
  std::shared_ptr<Checkpoints> checkpoints;
  std::shared_ptr<StopAfter> stop_after;

  Watched(Learner& learn, const TrainOptions& o, RunFolder& run) {
    checkpoints = std::make_shared<Checkpoints>(CheckpointOptions{
        .folder = run.file(checkpoints_folder), .every_minutes = o.checkpoint_minutes});
    learn.add_cbs({StopOnNaN{}, KeepRun{&run}, Callback(checkpoints)});
    if (o.patience) learn.add_cb(EarlyStoppingCallback({.patience = *o.patience}));
    if (!o.max_minutes) return;
    stop_after = std::make_shared<StopAfter>(StopAfter{.minutes = *o.max_minutes});
    learn.add_cb(Callback(stop_after));
  }
  bool out_of_time() const { return stop_after && stop_after->stopped; }
};

void fit(Learner& learn, const TrainOptions& o) {
  if (o.quick) {
    learn.quick_fit({.wd = o.wd});
    if (o.epochs == 0 || learn.interrupted) return;
  }
  if (o.no_pretrained)
    learn.fit_one_cycle(o.epochs, o.lr, {.wd = o.wd});
  else
    // After a quick fit the head is trained: what follows is for the whole model.
    learn.fine_tune(o.epochs,
                    {.base_lr = o.lr, .freeze_epochs = o.quick ? 0 : o.freeze_epochs, .wd = o.wd});
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

std::string result_line(const Json& metrics, const PhotoSet& set, double seconds) {
  std::string text = fmt::format("trained in {}", format_duration(seconds));
  if (metrics.contains("error_rate")) {
    const double rate = metrics["error_rate"].get<double>();
    const auto n = set.splits.valid.size();
    const auto wrong = static_cast<std::size_t>(std::lround(rate * static_cast<double>(n)));
    text += fmt::format(": {} of {} validation photos wrong ({:.1f} %)", wrong, n, 100 * rate);
  }
  return text;
}

/// How a training ended.
struct Outcome {
  std::string status = "done";  ///< or "stopped" (its time was up), "interrupted"
  Json metrics = Json::object();
  double seconds = 0;
  std::string bottleneck;  ///< what the last epoch waited for
};

void tell_result(const Outcome& outcome, const TrainOptions& o, const PhotoSet& set, const RunFolder& run,
                 Listener& listener) {
  const std::string model = shell_word(run.file(model_file).string());
  std::string text = "\n" + result_line(outcome.metrics, set, outcome.seconds) + "\n";
  if (outcome.status != "done") {
    text = fmt::format("{}; what was learnt so far is saved. To go on:\n  kindling train --resume {}\n",
                       outcome.status == "stopped" ? "stopped, since the time is up" : "stopped",
                       shell_word(run.path().string()));
  }
  if (!outcome.bottleneck.empty()) text += fmt::format("  {}\n", outcome.bottleneck);
  text +=
      fmt::format("  run    {}\n  model  {}\n\ntry it:\n  kindling predict {} PHOTO...\n  kindling info {}",
                  run.path().string(), run.file(model_file).string(), model, model);
  if (o.quick && o.epochs == 0 && outcome.status == "done")
    text += fmt::format("\n\nbetter, in minutes:\n  kindling train --like {} --epochs 3", shell_word(run.path().string()));
  listener.message(Level::info, text);
  Json event = {{"event", outcome.status == "interrupted" ? "interrupted" : "done"},
                {"run", run.path().string()},
                {"model", run.file(model_file).string()},
                {"metrics", outcome.metrics},
                {"seconds", outcome.seconds},
                {"bottleneck", outcome.bottleneck}};
  if (outcome.status == "stopped") event["stopped"] = "max_minutes";
  listener.event(event);
}

/// The epoch that --patience waits for a better one than.
const EpochRecord& best_epoch(const Recorder& recorder) {
  return *std::min_element(recorder.history.begin(), recorder.history.end(),
                           [](const auto& a, const auto& b) { return a.valid_loss < b.valid_loss; });
}

Outcome outcome_of(Learner& learn, const TrainOptions& o, const Watched& watched, Listener& listener) {
  Outcome outcome;
  const auto& history = learn.recorder().history;
  if (learn.interrupted) outcome.status = watched.out_of_time() ? "stopped" : "interrupted";
  if (learn.train_seconds > 0) outcome.bottleneck = bottleneck(learn.loader_times, learn.train_seconds);
  if (!history.empty()) outcome.metrics = metrics_json(learn, history.back());
  if (outcome.status == "stopped") {
    // The epoch was left in its middle: what the model can do now is said all the same.
    EpochRecord now{.train_loss = learn.recorder().losses.empty() ? 0 : learn.recorder().losses.back()};
    const auto values = learn.validate();
    now.valid_loss = values.front();
    now.metrics = {values.begin() + 1, values.end()};
    outcome.metrics = metrics_json(learn, now);
  }
  if (outcome.status == "done" && o.patience && !history.empty()) {
    const EpochRecord& best = best_epoch(learn.recorder());
    if (best.epoch != history.back().epoch) {
      load_weights(learn, read_training_state(watched.checkpoints->best_path()));
      listener.message(Level::info, fmt::format("the model has the weights of epoch {}, the best of {}", best.epoch,
                                                history.size()));
    }
    outcome.metrics = metrics_json(learn, best);
  }
  return outcome;
}

Json failure_json(const std::exception& e) {
  if (const auto* error = dynamic_cast<const Error*>(&e)) return error_json(*error);
  const std::string_view text = e.what();
  return {{"code", name_of(ErrorCode::internal)}, {"message", text.substr(0, text.find('\n'))}};
}

/// What the run's files say when it fails. The failure itself goes on.
void note_failure(const RunFolder& run, Json record, const std::exception& e, Listener& listener) {
  try {
    record["status"] = "failed";
    record["error"] = failure_json(e);
    listener.event({{"event", "failed"}, {"run", run.path().string()}, {"error", record["error"]}});
    write_run(run.path(), record);
  } catch (const std::exception&) {
    // The disk may be full: the error at hand is the one to be shown.
  }
}

/// The same bits each time: on a CPU that is so already for one number of threads.
void choose_kernels(const TrainOptions& o) {
  if (!o.reproducible) return;
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setBenchmarkCuDNN(false);
  at::globalContext().setAllowTF32CuDNN(false);
}

/// Settings and data of the run that this one goes on with or repeats.
void take_from(const fs::path& other, TrainOptions& o, TrainSettings& flags) {
  const Json record = read_run(other);
  flags.take(record.at("settings"));
  if (!o.data.data.empty()) return;
  std::error_code ignored;
  const std::string said = record["data"].value("path", ""), folder = record["data"].value("folder", said);
  o.data.data = fs::exists(said, ignored) || folder.empty() ? said : folder;
}

void check_flags(const TrainOptions& o, const TrainSettings& flags) {
  if (!o.resume.empty() && !o.like.empty())
    throw Error(ErrorCode::usage, "--resume and --like exclude each other", {}, "leave one of them out");
  if (o.resume.empty() && o.like.empty() && o.data.data.empty())
    throw Error(ErrorCode::usage, "DATA is required", {}, "kindling train --help");
  if (o.resume.empty()) return;
  flags.demand_none_given();
  if (!o.data.data.empty() || !o.run.empty())
    throw Error(ErrorCode::usage, "a run that goes on keeps its data and its folder", {},
                "kindling train --resume RUN, without DATA and -o");
}

/// --quick alone is a quick fit and no more.
void settle_quick(TrainOptions& o, const TrainSettings& flags) {
  if (flags.given("quick") && !flags.given("epochs")) o.epochs = 0;
  if (!o.quick) return;
  if (o.no_pretrained)
    throw Error(ErrorCode::usage, "--quick and --no-pretrained exclude each other: random layers give no features", {},
                "leave one of them out");
}

/// A run that goes on must see the photos that it began with.
void check_same_data(const Json& before, const PhotoSet& set) {
  const std::string was = before["data"].value("sha256", ""), is = set.fingerprint();
  if (was == is) return;
  throw Error(ErrorCode::bad_data, "the photos are not those that the run began with",
              {{"path", set.root}, {"photos then", before["data"].value("photos", std::size_t{0})},
               {"photos now", set.photos.size()}},
              "begin a new run from this one's settings: kindling train --like RUN");
}

/// Tells from where the run goes on. Without a checkpoint it begins again, as it began.
void go_on(Learner& learn, const RunFolder& run, Listener& listener) {
  auto found = last_checkpoint(run.file(checkpoints_folder));
  if (!found) {
    listener.message(Level::info, "the run was stopped before its first checkpoint: it begins again");
    listener.event({{"event", "resume"}, {"run", run.path().string()}, {"steps", 0}});
    return;
  }
  for (const Error& e : found->damaged)
    listener.message(Level::warning, fmt::format("{}: {}; an older one is used", e.fact("path"), e.message()));
  const TrainingPosition& at = found->state.position;
  listener.message(Level::info, fmt::format("going on from {}: epoch {}, batch {}", found->path.string(), at.epoch,
                                            at.batch));
  listener.event({{"event", "resume"},
                  {"run", run.path().string()},
                  {"checkpoint", found->path.string()},
                  {"fit", at.fit},
                  {"epoch", at.epoch},
                  {"batch", at.batch},
                  {"steps", at.steps}});
  learn.resume(std::move(found->state));
}

/// What a kill left half-written.
void remove_leftovers(const RunFolder& run) {
  for (const fs::path& folder : {run.path(), run.file(checkpoints_folder)}) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(".kindling-") && name.ends_with(".tmp")) fs::remove(entry.path(), none);
    }
  }
}

/// Fits, and leaves the run's files as its end wants them.
Outcome train_watched(Learner& learn, const TrainOptions& o, RunFolder& run, Json& record, Clock::time_point start,
                      Listener& listener) {
  const double before = record.value("seconds", 0.0);
  const Watched watched(learn, o, run);
  if (!o.resume.empty()) go_on(learn, run, listener);
  fit(learn, o);
  watched.checkpoints->wait();
  learn.recorder().save_csv(run.file(history_file));
  Outcome outcome = outcome_of(learn, o, watched, listener);
  learn.export_to(run.file(model_file));
  run.keep();
  outcome.seconds = before + std::chrono::duration<double>(Clock::now() - start).count();
  record["status"] = outcome.status;
  record["metrics"] = outcome.metrics;
  record["seconds"] = outcome.seconds;
  write_run(run.path(), record);
  return outcome;
}

std::unique_ptr<RunFolder> open_run(const TrainOptions& o) {
  return o.resume.empty() ? std::make_unique<RunFolder>(o.run, o.data.data) : std::make_unique<RunFolder>(o.resume);
}

/// A run that has ended needs nothing more.
bool has_ended(const RunFolder& run, Listener& listener) {
  const Json record = read_run(run.path());
  if (record.value("status", "") != "done") return false;
  listener.message(Level::info, fmt::format("this run has ended: its model is {}", run.file(model_file).string()));
  listener.event({{"event", "done"},
                  {"run", run.path().string()},
                  {"model", run.file(model_file).string()},
                  {"metrics", record.value("metrics", Json::object())},
                  {"seconds", record.value("seconds", 0.0)}});
  return true;
}

int train(TrainOptions& o, TrainSettings& flags) {
  const auto start = Clock::now();
  install_interrupt_handler();
  check_flags(o, flags);
  std::unique_ptr<RunFolder> run;
  if (!o.resume.empty()) run = open_run(o);
  if (const std::string& other = o.resume.empty() ? o.like : o.resume; !other.empty()) take_from(other, o, flags);
  settle_quick(o, flags);
  apply(o.common);
  choose_kernels(o);
  const auto listener = std::make_shared<EventLog>(make_listener(o.common));
  if (run && has_ended(*run, *listener)) return 0;
  if (!run) check_run_folder(o.run);
  Settings settings = settings_of(o, listener);
  torch::manual_seed(o.common.seed);
  DataFlags data = o.data;
  data.examine = !o.no_doctor;
  const PhotoSet set = read_photo_set(data, o.common, Purpose::train, listener);
  if (run) check_same_data(read_run(run->path()), set);
  tell_data(set, o, *listener);
  if (!o.no_doctor) tell_health(set, o.data, o.common, listener);
  settings.bs = choose_bs(learner_flags(o), set, *listener);
  Learner learn = vision_learner(photo_loaders(set, settings, settings.bs, o.common, cache_of(o.cache)), o.arch,
                                 {.metrics = settings.metrics,
                                  .pretrained = !o.no_pretrained,
                                  .weights = settings.weights,
                                  .listener = listener});
  Json record = run_json(set, o, settings_json(flags, settings), learn);
  if (run) {
    remove_leftovers(*run);
    record = read_run(run->path());
    record["status"] = "running";
    record["resumed"] = record.value("resumed", 0) + 1;
    record.erase("error");
    listener->append_to(run->file(events_file));
  } else {
    run = open_run(o);
    listener->write_to(run->file(events_file));
  }
  write_run(run->path(), record);
  listener->event({{"event", "train"}, {"run", run->path().string()}, {"settings", record["settings"]}});
  try {
    const Outcome outcome = train_watched(learn, o, *run, record, start, *listener);
    tell_result(outcome, o, set, *run, *listener);
    return outcome.status == "interrupted" ? exit_code(ErrorCode::interrupted) : 0;
  } catch (const std::exception& e) {
    note_failure(*run, std::move(record), e, *listener);
    throw;
  }
}

}  // namespace

Command add_train(CLI::App& program) {
  auto o = std::make_shared<TrainOptions>();
  CLI::App* app = program.add_subcommand("train", "Fit a model to a folder of photos");
  auto flags = std::make_shared<TrainSettings>(*app, *o);
  app->footer(R"(Every file is opened first; those that cannot be read are named and left out. Ctrl-C ends
the training at the next batch and keeps what was learnt; --resume goes on from there, and after a crash.

Examples:
  kindling train photos/                                photos/cat/*.jpg, photos/dog/*.jpg …
  kindling train pets/ --label name-case:cat,dog --size 192 --bs 32
  kindling train photos/ --quick                        a first answer in seconds; --quick --epochs 3 goes on
  kindling train photos/ --arch resnet34 --epochs 5 --metrics error_rate,accuracy -o runs/second
  kindling train --resume runs/second                   after Ctrl-C, a crash or a power cut
  kindling train --like runs/second --epochs 10         the same again, but longer)");
  return {app, [o, flags] { return train(*o, *flags); }};
}

}  // namespace kindling::cli
