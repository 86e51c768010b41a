#include "cli/watched_fit.hpp"

#include <kindling/core/interrupt.hpp>
#include <kindling/train/callback_tracker.hpp>
#include <kindling/train/checkpoint.hpp>

#include "cli/output.hpp"
#include "core/leftovers.hpp"
#include "core/seconds_since.hpp"

#include <algorithm>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <torch/utils.h>
#include <torch/version.h>

namespace kindling::cli {

using detail::seconds_since;

namespace {

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
  Run::Clock::time_point start = Run::Clock::now();
  bool stopped = false;
  void after_batch(Learner& learn) {
    if (seconds_since(start) < 60 * minutes) return;
    stopped = true;
    learn.interrupted = true;
    throw CancelFit{};
  }
};

/// A training with everything that watches over it.
struct Watched {
  std::shared_ptr<Checkpoints> checkpoints;
  std::shared_ptr<StopAfter> stop_after;

  Watched(Learner& learn, const RunFlags& flags, RunFolder& run) {
    checkpoints = std::make_shared<Checkpoints>(CheckpointOptions{
        .folder = run.file(checkpoints_folder), .every_minutes = flags.checkpoint_minutes});
    learn.add_cbs({StopOnNaN{}, KeepRun{&run}, Callback(checkpoints)});
    if (flags.patience) learn.add_cb(EarlyStoppingCallback({.patience = *flags.patience}));
    if (!flags.max_minutes) return;
    stop_after = std::make_shared<StopAfter>(StopAfter{.minutes = *flags.max_minutes});
    learn.add_cb(Callback(stop_after));
  }
  bool out_of_time() const { return stop_after && stop_after->stopped; }
};

/// Losses and metrics of an epoch.
Json metrics_json(const Learner& learn, const EpochRecord& row) {
  Json metrics = {{"train_loss", row.train_loss}, {"valid_loss", row.valid_loss}};
  for (std::size_t m = 0; m < row.metrics.size(); ++m) metrics[learn.recorder().metric_names[m]] = row.metrics[m];
  return metrics;
}

/// The epoch that --patience waits for a better one than.
const EpochRecord& best_epoch(const Recorder& recorder) {
  return *std::min_element(recorder.history.begin(), recorder.history.end(),
                           [](const auto& a, const auto& b) { return a.valid_loss < b.valid_loss; });
}

Run::Outcome outcome_of(Learner& learn, const RunFlags& flags, const Watched& watched, Listener& listener) {
  Run::Outcome outcome;
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
  if (outcome.status == "done" && flags.patience && !history.empty()) {
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
  for (const fs::path& folder : {run.path(), run.file(checkpoints_folder)}) detail::remove_leftovers(folder);
}

/// Flags that exclude each other, or no DATA.
void check_run_flags(const RunFlags& o, const std::string& data, const FlagSettings& settings) {
  if (!o.resume.empty() && !o.like.empty())
    throw Error(ErrorCode::usage, "--resume and --like exclude each other", {}, "leave one of them out");
  if (o.resume.empty() && o.like.empty() && data.empty())
    throw Error(ErrorCode::usage, "DATA is required", {}, "kindling train --help");
  if (o.resume.empty()) return;
  settings.demand_none_given();
  if (!data.empty() || !o.run.empty())
    throw Error(ErrorCode::usage, "a run that goes on keeps its data and its folder", {},
                "kindling train --resume RUN, without DATA and -o");
}

/// The folder; one that is to be gone on with must be there, any other is made.
std::unique_ptr<RunFolder> open_run(const RunFlags& o, const fs::path& data) {
  return o.resume.empty() ? std::make_unique<RunFolder>(o.run, data) : std::make_unique<RunFolder>(o.resume);
}

/// A run that has ended needs nothing more: says so.
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

/// Settings of another run, and its data where the command line names none. Gives that run's record.
Json take_from(const fs::path& other, FlagSettings& settings, std::string& data) {
  Json record = read_run(other);
  settings.take(record.at("settings"));
  if (!data.empty()) return record;
  std::error_code ignored;
  const std::string said = record["data"].value("path", ""), whole = record["data"].value("folder", said);
  data = fs::exists(said, ignored) || whole.empty() ? said : whole;
  return record;
}

}  // namespace

void add_run_flags(CLI::App& app, RunFlags& o) {
  app.get_option("DATA")->required(false);
  app.add_option("-o,--output", o.run, "folder of the run (runs/<name of DATA>-<n>)")->type_name("RUN");
  app.add_option("--resume", o.resume, "go on with a run that was stopped or killed")->type_name("RUN");
  app.add_option("--like", o.like, "begin a run with the settings of another; further flags change them")
      ->type_name("RUN");
  // How long, and how often something is kept, changes nothing of what is learnt.
  app.add_option("--max-minutes", o.max_minutes, "stop after so long; --resume goes on")
      ->check(CLI::PositiveNumber)
      ->type_name("MINUTES");
  app.add_option("--checkpoint-minutes", o.checkpoint_minutes,
                 "write a checkpoint so often, beside that of each epoch; 0: at each batch (5)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("MINUTES");
}

void add_patience_flag(CLI::App& app, RunFlags& o, FlagSettings& settings) {
  settings.add(app.add_option("--patience", o.patience,
                              "stop after so many epochs without a better validation loss, and keep the best epoch's weights")
                   ->check(CLI::Range(1, 100000))
                   ->type_name("N"),
               "patience", o.patience);
}

Json run_record(Json settings, Json data) {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return {{"format", "kindling.run"},
          {"format_version", run_format_version},
          {"kindling", KINDLING_VERSION},
          {"torch", TORCH_VERSION},
          {"started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now))},
          {"status", "running"},
          {"settings", std::move(settings)},
          {"data", std::move(data)}};
}

Beginning begin_run(const RunFlags& o, std::string& data, FlagSettings& settings, const CommonOptions& common) {
  install_interrupt_handler();
  check_run_flags(o, data, settings);
  Beginning run;
  if (!o.resume.empty()) run.folder = open_run(o, {});
  if (const std::string& other = o.resume.empty() ? o.like : o.resume; !other.empty())
    run.before = take_from(other, settings, data);
  apply(common);
  run.listener = std::make_shared<EventLog>(make_listener(common));
  if (run.folder)
    run.ended = has_ended(*run.folder, *run.listener);
  else
    check_run_folder(o.run);
  torch::manual_seed(common.seed);
  return run;
}

void check_same_data(const Json& before, const Json& now, const std::string& what) {
  if (before["data"].value("sha256", "") == now.value("sha256", "")) return;
  throw Error(ErrorCode::bad_data, fmt::format("the {} are not those that the run began with", what),
              {{"path", now.value("path", "")},
               {what + " then", before["data"].value(what, std::size_t{0})},
               {what + " now", now.value(what, std::size_t{0})}},
              "begin a new run from this one's settings: kindling train --like RUN");
}

Run::Run(const RunFlags& flags, const fs::path& data, Json record, Beginning beginning)
    : flags_(flags),
      listener_(std::move(beginning.listener)),
      folder_(std::move(beginning.folder)),
      record_(std::move(record)) {
  if (folder_) {
    remove_leftovers(*folder_);
    record_ = read_run(folder_->path());
    record_["status"] = "running";
    record_["resumed"] = record_.value("resumed", 0) + 1;
    record_.erase("error");
    listener_->append_to(folder_->file(events_file));
  } else {
    folder_ = open_run(flags_, data);
    listener_->write_to(folder_->file(events_file));
  }
  write_run(folder_->path(), record_);
  listener_->event({{"event", "train"}, {"run", folder_->path().string()}, {"settings", record_["settings"]}});
}

Run::Outcome Run::train(Learner& learn, const std::function<void()>& fit, Clock::time_point start,
                        const std::function<Json()>& final_metrics) {
  try {
    const Watched watched(learn, flags_, *folder_);
    record_["device"] = learn.dls.device().str();
    write_run(folder_->path(), record_);
    if (learn.dls.device().is_cuda()) listener_->message(Level::info, "training on the GPU");
    if (!flags_.resume.empty()) go_on(learn, *folder_, *listener_);
    fit();
    watched.checkpoints->wait();
    learn.recorder().save_csv(folder_->file(history_file));
    Outcome outcome = outcome_of(learn, flags_, watched, *listener_);
    if (final_metrics) outcome.metrics.update(final_metrics());
    learn.export_to(folder_->file(model_file));
    return finish(std::move(outcome), start);
  } catch (const std::exception& e) {
    note_failure(e);
    throw;
  }
}

Run::Outcome Run::work(const std::function<Json()>& work, Clock::time_point start) {
  try {
    Outcome outcome;
    outcome.metrics = work();
    return finish(std::move(outcome), start);
  } catch (const std::exception& e) {
    note_failure(e);
    throw;
  }
}

Run::Outcome Run::finish(Outcome outcome, Clock::time_point start) {
  folder_->keep();
  outcome.seconds = record_.value("seconds", 0.0) + seconds_since(start);
  record_["status"] = outcome.status;
  record_["metrics"] = outcome.metrics;
  record_["seconds"] = outcome.seconds;
  write_run(folder_->path(), record_);
  return outcome;
}

/// The failure itself goes on.
void Run::note_failure(const std::exception& e) {
  try {
    record_["status"] = "failed";
    record_["error"] = failure_json(e);
    listener_->event({{"event", "failed"}, {"run", folder_->path().string()}, {"error", record_["error"]}});
    write_run(folder_->path(), record_);
  } catch (const std::exception&) {
    // The disk may be full: the error at hand is the one to be shown.
  }
}

void tell_end(const Run::Outcome& outcome, const RunFolder& run, const std::string& summary, const std::string& try_it,
              Listener& listener) {
  std::string text = "\n" + summary + "\n";
  if (outcome.status != "done") {
    text = fmt::format("{}; what was learnt so far is saved. To go on:\n  kindling train --resume {}\n",
                       outcome.status == "stopped" ? "stopped, since the time is up" : "stopped",
                       shell_word(run.path().string()));
  }
  if (!outcome.bottleneck.empty()) text += fmt::format("  {}\n", outcome.bottleneck);
  text += fmt::format("  run    {}\n  model  {}\n\ntry it:\n{}", run.path().string(), run.file(model_file).string(), try_it);
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

int exit_code_of(const Run::Outcome& outcome) {
  return outcome.status == "interrupted" ? exit_code(ErrorCode::interrupted) : 0;
}

}  // namespace kindling::cli
