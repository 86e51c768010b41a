#pragma once
/// What is the same of every run, whatever it trains: how it begins or goes on, checkpoints, limits, and how it ended.

#include <kindling/train/learner.hpp>

#include "cli/flag_settings.hpp"
#include "cli/run_folder.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace kindling::cli {

struct RunFlags {
  std::string run;
  std::string resume;
  std::string like;
  std::optional<int> patience;
  std::optional<double> max_minutes;
  double checkpoint_minutes = 5;
};

/// -o, --resume, --like, --max-minutes, --checkpoint-minutes.
void add_run_flags(CLI::App& app, RunFlags& flags);
/// --patience, for trainings whose last epoch need not be their best.
void add_patience_flag(CLI::App& app, RunFlags& flags, FlagSettings& settings);

/// A run before its data is read.
struct Beginning {
  std::shared_ptr<EventLog> listener;
  std::unique_ptr<RunFolder> folder;  ///< of a run that goes on
  Json before;                        ///< run.json of the run that this one goes on with or repeats
  bool ended = false;                 ///< it goes on with a run that has ended, which needs nothing more; that was said
};

/// Checks the flags, takes settings and data from the run that --resume or --like names, and gives torch its threads and its seed.
/// Throws `usage` for flags that exclude each other, where there is no DATA, and for a folder with something in it.
Beginning begin_run(const RunFlags& flags, std::string& data, FlagSettings& settings, const CommonOptions& common);

/// run.json of a run that begins.
Json run_record(Json settings, Json data);

/// Throws `bad_data` where the rows or photos are not those that the run began with, by `sha256` of both records' data.
void check_same_data(const Json& before, const Json& now, const std::string& what);

/// A run whose folder is there, and whose record and events are being written.
class Run {
 public:
  /// Makes the folder, or takes up the one of `--resume`.
  Run(const RunFlags& flags, const fs::path& data, Json record, Beginning beginning);

  RunFolder& folder() { return *folder_; }
  const Json& record() const { return record_; }

  /// How a training ended.
  struct Outcome {
    std::string status = "done";  ///< or "stopped" (its time was up), "interrupted"
    Json metrics = Json::object();
    double seconds = 0;
    std::string bottleneck;  ///< what the last epoch waited for
  };
  using Clock = std::chrono::steady_clock;

  /// Does `fit`, from the last checkpoint on where the run goes on; writes the model and the record. `final_metrics`, where it
  /// is given, says what the model can do in place of the table's last line. A failure is noted in the run's files.
  Outcome train(Learner& learn, const std::function<void()>& fit, Clock::time_point start,
                const std::function<Json()>& final_metrics = {});
  /// For what is no fit of one learner: `work` gives the metrics and writes the model.
  Outcome work(const std::function<Json()>& work, Clock::time_point start);

 private:
  Outcome finish(Outcome outcome, Clock::time_point start);
  void note_failure(const std::exception& e);
  RunFlags flags_;
  std::shared_ptr<EventLog> listener_;
  std::unique_ptr<RunFolder> folder_;
  Json record_;
};

/// What is said at the end: `summary`, where everything is, and what to try.
void tell_end(const Run::Outcome& outcome, const RunFolder& run, const std::string& summary,
              const std::string& try_it, Listener& listener);
/// The exit code.
int exit_code_of(const Run::Outcome& outcome);

}  // namespace kindling::cli
