#include <kindling/nn/registry.hpp>
#include <kindling/vision.hpp>

#include "cli/command.hpp"
#include "cli/health.hpp"
#include "cli/label_rule.hpp"
#include "cli/output.hpp"
#include "cli/photo_learner.hpp"
#include "cli/photo_set.hpp"
#include "cli/train_settings.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>

#include <ATen/Context.h>
#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace kindling::cli {

namespace {

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

/// Everything that is needed to know what was trained on, and to do it again.
Json whole_data_json(const PhotoSet& set, const TrainOptions& o) {
  Json data = data_json(set, o);
  std::error_code ignored;
  data["folder"] = fs::weakly_canonical(o.data.data, ignored).string();
  data["sha256"] = set.fingerprint();
  Json excluded = Json::array();
  for (const Excluded& e : set.excluded)
    excluded.push_back({{"file", e.name}, {"code", e.code}, {"reason", e.reason}});
  data["excluded"] = std::move(excluded);
  return data;
}

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

void tell_result(const Run::Outcome& outcome, const TrainOptions& o, const PhotoSet& set, const RunFolder& run,
                 Listener& listener) {
  const std::string model = shell_word(run.file(model_file).string());
  std::string try_it = fmt::format("  kindling predict {} PHOTO...\n  kindling info {}", model, model);
  if (o.quick && o.epochs == 0 && outcome.status == "done")
    try_it += fmt::format("\n\nbetter, in minutes:\n  kindling train --like {} --epochs 3", shell_word(run.path().string()));
  tell_end(outcome, run, result_line(outcome.metrics, set, outcome.seconds), try_it, listener);
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

/// --quick alone is a quick fit and no more.
void settle_quick(TrainOptions& o, const TrainSettings& flags) {
  if (flags.given("quick") && !flags.given("epochs")) o.epochs = 0;
  if (!o.quick) return;
  if (o.no_pretrained)
    throw Error(ErrorCode::usage, "--quick and --no-pretrained exclude each other: random layers give no features", {},
                "leave one of them out");
}

int train(TrainOptions& o, TrainSettings& flags) {
  const auto start = Run::Clock::now();
  Beginning beginning = begin_run(o, o.data.data, flags, o.common);
  if (beginning.ended) return 0;
  const auto listener = beginning.listener;
  settle_quick(o, flags);
  choose_kernels(o);
  Settings settings = settings_of(o, listener);
  DataFlags data = o.data;
  data.examine = !o.no_doctor;
  const PhotoSet set = read_photo_set(data, o.common, Purpose::train, listener);
  Json record = run_record({}, whole_data_json(set, o));
  if (beginning.folder) check_same_data(beginning.before, record["data"], "photos");
  tell_data(set, o, *listener);
  if (!o.no_doctor) tell_health(set, o.data, o.common, listener);
  settings.bs = choose_bs(learner_flags(o), set, *listener);
  Learner learn = vision_learner(photo_loaders(set, settings, settings.bs, o.common, cache_of(o.cache)), o.arch,
                                 {.metrics = settings.metrics,
                                  .pretrained = !o.no_pretrained,
                                  .weights = settings.weights,
                                  .listener = listener});
  record["settings"] = settings_json(flags, settings);
  record["weights"] = learn.provenance;
  Run run(o, o.data.data, std::move(record), std::move(beginning));
  const Run::Outcome outcome = run.train(learn, [&] { fit(learn, o); }, start);
  tell_result(outcome, o, set, run.folder(), *listener);
  return exit_code_of(outcome);
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
