#pragma once
/// The flags of `train` as settings of a run: kept in run.json, and read back from there.

#include <kindling/core/json.hpp>

#include "cli/command.hpp"
#include "cli/photo_set.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kindling::cli {

struct TrainOptions {
  CommonOptions common;
  DataFlags data;
  std::string run;
  std::string resume;
  std::string like;
  std::string arch = "efficientnet_lite0";
  int epochs = 3;  ///< 0: a quick fit alone
  int freeze_epochs = 1;
  bool quick = false;
  double lr = 2e-3;
  std::optional<int> bs;
  std::optional<int> size;
  std::string resize = "crop";
  std::optional<double> wd;
  std::vector<std::string> metrics;  ///< empty: error_rate, or accuracy_multi for several labels a photo
  bool no_pretrained = false;
  std::string weights;
  bool exact_decoding = false;
  bool no_doctor = false;
  std::string cache = "auto";
  bool reproducible = false;
  std::optional<int> patience;
  std::optional<double> max_minutes;
  double checkpoint_minutes = 5;
};

/// Every setting that decides what a run learns, with the flag that sets it.
class TrainSettings {
 public:
  /// Adds the flags of `train` to the command.
  TrainSettings(CLI::App& app, TrainOptions& options);

  /// What run.json keeps.
  Json to_json() const;
  /// Takes the settings of another run, but for those whose flags were given.
  void take(const Json& settings);
  /// Throws `usage` where a flag was given that changes what is learnt: a run that goes on keeps its settings.
  void demand_none_given() const;
  /// Whether the flag of that setting was given.
  bool given(const std::string& key) const;

 private:
  struct Setting {
    std::string key;
    CLI::Option* option;
    std::function<Json()> get;
    std::function<void(const Json&)> set;
  };
  template <class T>
  void add(CLI::Option* option, const std::string& key, T& value);
  void add_model_flags(CLI::App& app, TrainOptions& o);
  void add_run_flags(CLI::App& app, TrainOptions& o);
  void note_shared_flags(CLI::App& app, TrainOptions& o);
  std::vector<Setting> settings_;
};

}  // namespace kindling::cli
