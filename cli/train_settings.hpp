#pragma once
/// The flags of `train` for photos.

#include <kindling/core/json.hpp>

#include "cli/command.hpp"
#include "cli/photo_set.hpp"
#include "cli/watched_fit.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kindling::cli {

struct TrainOptions : RunFlags {
  CommonOptions common;
  DataFlags data;
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
};

/// The settings of a run of photos.
class TrainSettings : public FlagSettings {
 public:
  /// Adds the flags of `train` to the command.
  TrainSettings(CLI::App& app, TrainOptions& options);
  void take(const Json& settings) override;

 private:
  void add_model_flags(CLI::App& app, TrainOptions& o);
  void note_shared_flags(CLI::App& app, TrainOptions& o);
};

}  // namespace kindling::cli
