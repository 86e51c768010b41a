#pragma once
/// The training loop and everything done with a trained model.
///
///   auto learn = Learner(dls, nn::Linear(28 * 28, 1), {.opt_func = SGD(), .loss_func = mnist_loss,
///                                                      .metrics = {{"batch_accuracy", batch_accuracy}}});
///   learn.fit(10, 1.0);
///   learn.recorder().values().back();

#include <kindling/core/listener.hpp>
#include <kindling/data/dataloaders.hpp>
#include <kindling/train/callback.hpp>
#include <kindling/train/hyper.hpp>
#include <kindling/train/losses.hpp>
#include <kindling/train/metrics.hpp>
#include <kindling/train/model.hpp>
#include <kindling/train/optimizer.hpp>
#include <kindling/train/recorder.hpp>
#include <kindling/train/schedules.hpp>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kindling {

using Callbacks = std::vector<Callback>;

/// Settings of a learner, with fastai's names and defaults.
struct LearnerOptions {
  OptFunc opt_func = Adam();
  LossFunction loss_func = {};  ///< left out: the one that the target needs
  std::vector<Metric> metrics = {};
  double lr = 1e-3;
  std::optional<double> wd = std::nullopt;       ///< left out: the optimizer's own default
  bool wd_bn_bias = false;                       ///< decay norm layers and biases too
  bool train_bn = true;                          ///< norm layers of frozen groups train
  std::array<double, 3> moms{0.95, 0.85, 0.95};  ///< momentum of fit_one_cycle: start, middle, end
  Callbacks cbs = {};
  fs::path path = ".";
  /// Where the table and the bar go; null: `terminal_listener()`. Pass `silent_listener()` for none.
  std::shared_ptr<Listener> listener = nullptr;
};

struct FitOptions {
  std::optional<double> wd = std::nullopt;
  Callbacks cbs = {};
  bool reset_opt = false;
  int start_epoch = 0;  ///< epochs before it are skipped
};

struct OneCycleOptions {
  double div = 25;         ///< starts at lr_max / div
  double div_final = 1e5;  ///< ends at lr_max / div_final
  double pct_start = 0.25;
  std::optional<std::array<double, 3>> moms = std::nullopt;
  std::optional<double> wd = std::nullopt;
  Callbacks cbs = {};
  bool reset_opt = false;
  int start_epoch = 0;
};

struct FineTuneOptions {
  double base_lr = 2e-3;
  int freeze_epochs = 1;
  double lr_mult = 100;
  double pct_start = 0.3;
  double div = 5;
  std::optional<double> wd = std::nullopt;
  Callbacks cbs = {};
};

struct PredsOptions {
  int ds_idx = 1;  ///< 0: training items (with training transforms), 1: validation
  std::optional<DataLoader> dl = std::nullopt;
  bool with_decoded = false;
  bool with_loss = false;  ///< needs targets
};

struct Preds {
  torch::Tensor preds;    ///< activated, N x …
  torch::Tensor targs;    ///< undefined for items without labels
  torch::Tensor decoded;  ///< with_decoded
  torch::Tensor losses;   ///< with_loss: N
};

/// What is said of one item. `label` is the class name, or the number as text.
struct Prediction {
  std::string label;
  std::int64_t index = 0;
  torch::Tensor probs;  ///< C, float32, on the CPU
};

struct ExportOptions {
  /// So many validation items are kept in the file, as encoded pictures with the model's outputs, so that
  /// `verify` can prove the file on any machine. 0 keeps none.
  int verify_items = 2;
  Json summary = Json::object();  ///< added to the manifest's training summary
};

class Learner {
 public:
  Learner(DataLoaders dls, Model model, LearnerOptions options = {});
  Learner(Learner&&) = default;
  Learner& operator=(Learner&&) = default;

  /// `n_epoch` epochs at one learning rate (left out: the learner's).
  void fit(int n_epoch, std::optional<Hyper> lr = std::nullopt, const FitOptions& options = {});
  void fit(int n_epoch, const FitOptions& options) { fit(n_epoch, std::nullopt, options); }
  /// Smith's 1cycle policy: up from lr_max / div to lr_max, down to lr_max / div_final; momentum the other
  /// way.
  void fit_one_cycle(int n_epoch, std::optional<Hyper> lr_max = std::nullopt,
                     const OneCycleOptions& options = {});
  /// Transfer learning in one line: `freeze_epochs` of the head, then `epochs` of all with sliced rates.
  void fine_tune(int epochs, const FineTuneOptions& options = {});

  void freeze_to(int n);
  void freeze() { freeze_to(-1); }
  void unfreeze() { freeze_to(0); }

  /// Validation loss and metrics, in full precision.
  std::vector<double> validate(int ds_idx = 1);
  std::vector<double> validate(const DataLoader& dl);
  Preds get_preds(const PredsOptions& options = {});
  /// One item through the validation transforms: a path, encoded bytes, or a decoded picture.
  Prediction predict(const fs::path& path) { return predict_value(path); }
  Prediction predict(const Bytes& encoded) { return predict_value(encoded); }
  Prediction predict(const Image& image) { return predict_value(image); }

  /// Writes the one file that `load_learner`, `Predictor` and Python's safetensors open
  /// (docs/formats/model.md).
  void export_to(const fs::path& path, const ExportOptions& options = {});

  const Recorder& recorder() const { return *recorder_; }
  const std::vector<Metric>& metrics() const { return options_.metrics; }
  Listener& listener() const { return *options_.listener; }
  const LearnerOptions& options() const { return options_; }
  /// Makes the optimizer anew from the model's groups.
  void create_opt();
  void add_cb(Callback callback);
  /// Calls every callback's member for an event, in their order.
  void operator()(Event event);

  // The state of the loop, for callbacks to read and change.
  DataLoaders dls;
  Model model;
  LossFunction loss_func;
  std::unique_ptr<Optimizer> opt;
  int n_epoch = 0;
  int epoch = 0;
  std::int64_t n_iter = 0;      ///< batches of the loader at hand
  std::int64_t iter = 0;        ///< batch within it
  std::int64_t train_iter = 0;  ///< training batches since the fit began
  double pct_train = 0;         ///< part of the fit done
  bool training = false;
  bool interrupted = false;  ///< the last fit was stopped by Ctrl-C
  std::vector<torch::Tensor> xb;
  std::vector<torch::Tensor> yb;
  std::vector<std::int64_t> items;  ///< place of the batch's items in their data set
  torch::Tensor pred;
  torch::Tensor loss_grad;  ///< what backward starts from
  torch::Tensor loss;       ///< its value

  /// Training-independent facts that an export carries: architecture, licence of the weights …
  Json provenance = Json::object();

 private:
  friend struct RecorderCallback;
  void with_callbacks(Callbacks cbs, const std::function<void()>& body);
  void run_fit(int epochs, const Callbacks& extra);
  void one_epoch();
  void epoch_train();
  void epoch_validate(const DataLoader& dl);
  void all_batches(const DataLoader& dl, std::int64_t number);
  void one_batch(Batch batch);
  void set_order();
  Prediction predict_value(Value item);

  LearnerOptions options_;
  Callbacks cbs_;
  std::shared_ptr<Recorder> recorder_;
  std::int64_t epochs_begun_ = 0;  // over all fits: each trains on an order and draws of its own
};

}  // namespace kindling
