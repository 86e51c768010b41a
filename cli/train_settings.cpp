#include "cli/train_settings.hpp"

namespace kindling::cli {

TrainSettings::TrainSettings(CLI::App& app, TrainOptions& o) {
  add_data_flags(app, o.data);
  add_run_flags(app, o);
  add_model_flags(app, o);
  add(app.add_flag("--reproducible", o.reproducible,
                   "kernels that give the same numbers each time, also on a GPU (slower there)"),
      "reproducible", o.reproducible);
  add_patience_flag(app, o, *this);
  add_common_options(app, o.common);
  note_shared_flags(app, o);
}

void TrainSettings::add_model_flags(CLI::App& app, TrainOptions& o) {
  add(app.add_option("--arch", o.arch, "the model, one of `kindling models` (efficientnet_lite0)")->type_name("NAME"),
      "arch", o.arch);
  add(app.add_option("--epochs", o.epochs, "epochs over all layers (3)")
          ->check(CLI::Range(1, 100000))
          ->type_name("N"),
      "epochs", o.epochs);
  add(app.add_option("--freeze-epochs", o.freeze_epochs, "epochs of the new head alone before them (1)")
          ->check(CLI::Range(0, 100000))
          ->type_name("N"),
      "freeze_epochs", o.freeze_epochs);
  add(app.add_flag("--quick", o.quick,
                   "train the new head alone, on features that are computed once: seconds in place of minutes. With "
                   "--epochs those follow, over all layers"),
      "quick", o.quick);
  add(app.add_option("--lr", o.lr, "base learning rate (0.002)")->check(CLI::PositiveNumber)->type_name("RATE"), "lr",
      o.lr);
  add(app.add_option("--bs", o.bs, "photos in a batch (64, fewer for a small data set)")
          ->check(CLI::Range(2, 100000))
          ->type_name("N"),
      "bs", o.bs);
  add(app.add_option("--size", o.size, "side of the square that photos are brought to (what the model is for)")
          ->check(CLI::Range(32, 4096))
          ->type_name("PIXELS"),
      "size", o.size);
  add(app.add_option("--resize", o.resize, "how: crop, pad or squish (crop)")
          ->check(CLI::IsMember({"crop", "pad", "squish"}))
          ->type_name("HOW"),
      "resize", o.resize);
  add(app.add_option("--wd", o.wd, "weight decay (0.01)")->check(CLI::NonNegativeNumber)->type_name("RATE"), "wd",
      o.wd);
  add(app.add_option("--metrics", o.metrics,
                     "columns of the table: error_rate, accuracy, top_k_accuracy … (error_rate; accuracy_multi for several labels)")
          ->delimiter(',')
          ->allow_extra_args(false)
          ->type_name("NAMES"),
      "metrics", o.metrics);
  add(app.add_option("--weights", o.weights, "pretrained weights, one of `kindling weights list` (the model's own)")
          ->type_name("NAME"),
      "weights", o.weights);
  add(app.add_flag("--no-pretrained", o.no_pretrained, "begin with random weights; all layers train from the start"),
      "no_pretrained", o.no_pretrained);
  add(app.add_flag("--exact-decoding", o.exact_decoding, "decode every pixel of large JPEGs (as fastai; slower)"),
      "exact_decoding", o.exact_decoding);
  // Where decoded photos are kept changes nothing of what is learnt.
  app.add_option("--cache", o.cache,
                 "keep decoded photos between epochs: memory, disk (for later runs too), off, or auto, which is memory "
                 "where all fit into a quarter of what is free (auto)")
      ->check(CLI::IsMember({"auto", "memory", "disk", "off"}))
      ->type_name("WHERE");
  app.add_flag("--no-doctor", o.no_doctor,
               "do not look for photos in train and valid alike, under two labels, and for mistyped labels");
}

void TrainSettings::note_shared_flags(CLI::App& app, TrainOptions& o) {
  add(app.get_option("--label"), "label", o.data.label);
  add(app.get_option("--valid-pct"), "valid_pct", o.data.valid_pct);
  add(app.get_option("--no-exif"), "no_exif", o.data.no_exif);
  add(app.get_option("--threads"), "threads", o.common.threads);
  add(app.get_option("--device"), "device", o.common.device);
  add(app.get_option("--seed"), "seed", o.common.seed);
}

void TrainSettings::take(const Json& settings) {
  // These follow from the model where no flag says otherwise.
  take_but(settings, [this](const std::string& key) {
    if (given("arch") && (key == "weights" || key == "size")) return true;
    if (given("no_pretrained") && key == "weights") return true;
    return given("weights") && key == "no_pretrained";
  });
}

}  // namespace kindling::cli
