#pragma once
/// The training loop and everything done with a trained model.
///
///   auto learn = Learner(dls, nn::Linear(28 * 28, 1), {.opt_func = SGD(), .loss_func = mnist_loss,
///                                                      .metrics = {{"batch_accuracy", batch_accuracy}}});
///   learn.fit(10, 1.0);
///   learn.recorder().values().back();

#include <kindling/core/listener.hpp>
#include <kindling/data/dataloaders.hpp>
#include <kindling/data/picture.hpp>
#include <kindling/train/callback.hpp>
#include <kindling/train/hyper.hpp>
#include <kindling/train/losses.hpp>
#include <kindling/train/lr_find.hpp>
#include <kindling/train/metrics.hpp>
#include <kindling/train/model.hpp>
#include <kindling/train/optimizer.hpp>
#include <kindling/train/recorder.hpp>
#include <kindling/train/schedules.hpp>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace kindling {

using Callbacks = std::vector<Callback>;

struct TrainingState;

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
  bool default_cbs = true;       ///< false: without the recorder, the bar and Ctrl-C; the model's mode is kept all the same
  RecorderOptions recorder = {};
  fs::path path = ".";
  fs::path model_dir = "models";  ///< below `path`: where `save` and `load` look
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

struct FlatCosOptions {
  double div_final = 1e5;  ///< ends at lr / div_final
  double pct_start = 0.75;  ///< part of the fit at the full rate
  std::optional<double> wd = std::nullopt;
  Callbacks cbs = {};
  bool reset_opt = false;
  int start_epoch = 0;
};

struct SgdrOptions {
  int cycle_mult = 2;  ///< each cycle so many times as long as the one before
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

struct QuickFitOptions {
  int views = 1;          ///< augmented views of each training item, beside the plain one
  int epochs = 0;         ///< over all views; 0: 6, or as many more as make 120 steps
  double lr = 2e-3;
  int bs = 64;            ///< rows of features in a batch
  double held_out = 0.1;  ///< part of the training items that says which epoch is the best; 0: the training loss does
  bool calibrate = true;  ///< by a temperature, where the target is one class
  /// Of features in memory: fewer views are made where all would take more.
  std::size_t max_bytes = std::size_t{2} << 30;
  std::optional<double> wd = std::nullopt;
  Callbacks cbs = {};
};

struct PredsOptions {
  int ds_idx = 1;  ///< 0: training items (with training transforms), 1: validation; in order, all of them
  std::optional<DataLoader> dl = std::nullopt;  ///< in place of `ds_idx`, with its own order
  bool with_input = false;
  bool with_decoded = false;
  bool with_loss = false;  ///< needs targets
  bool with_preds = true;
  bool with_targs = true;
  /// Raw outputs to predictions; left out: the loss function's activation.
  std::optional<LossFunction::Map> act = std::nullopt;
  bool reorder = true;  ///< results in the data set's order, whatever the loader's is
  bool inner = false;   ///< from within an event of a fit: without before_fit … after_fit
  int concat_dim = 0;
  Callbacks cbs = {};
  /// Folders for one safetensors file a batch, named after its number, in place of keeping all in memory.
  fs::path save_preds = {};
  fs::path save_targs = {};
};

struct Preds {
  torch::Tensor preds;    ///< activated, N x …
  torch::Tensor targs;    ///< undefined for items without labels
  torch::Tensor decoded;  ///< with_decoded
  torch::Tensor losses;   ///< with_loss: N
  std::vector<torch::Tensor> inputs = {};       ///< with_input: one a model input
  std::vector<torch::Tensor> all_targs = {};    ///< one a target, where there are several
  std::vector<std::int64_t> items = {};         ///< place of each row in its data set
};

struct TtaOptions {
  int ds_idx = 1;
  std::optional<DataLoader> dl = std::nullopt;
  int n = 4;                                             ///< augmented passes
  std::optional<Transforms> item_tfms = std::nullopt;   ///< in place of the loader's
  std::optional<Transforms> batch_tfms = std::nullopt;  ///< likewise
  std::optional<double> beta = 0.25;  ///< weight of the plain pass; none: both are given, unmixed
  bool use_max = false;               ///< the largest in place of the mean
};

struct TtaPreds {
  torch::Tensor preds;  ///< N x …; with no beta the augmented passes' mean (or largest)
  torch::Tensor targs;
  torch::Tensor plain;  ///< with no beta: the plain pass
};

struct ShowResultsOptions {
  int ds_idx = 1;
  std::optional<DataLoader> dl = std::nullopt;
  int max_n = 9;
  bool shuffle = true;
  int cell = 224;  ///< side of a cell in pixels
};

struct SaveModelOptions {
  bool with_opt = true;
};

struct LoadModelOptions {
  bool with_opt = true;
  bool strict = true;
};

struct GradScalerOptions {
  double init_scale = 65536;
  double growth_factor = 2;
  double backoff_factor = 0.5;
  int growth_interval = 2000;
  bool enabled = true;
};

/// What is said of one item; `auto [label, index, probs] = learn.predict(photo)` takes the three that fastai gives.
struct Prediction {
  /// The class name; several with semicolons between; numbers and points as text.
  std::string label;
  /// The class; of several labels the likeliest; 0 for numbers.
  std::int64_t index = 0;
  /// float32, on the CPU: C probabilities, the numbers, or points in pixels (n x 2).
  torch::Tensor probs;
  /// The same as a value of the target's kind: Category, Categories (what is above one half), Number, Numbers, Points in
  /// pixels of the given photo, or the model's own tensor.
  Value value = {};

  template <std::size_t I, class Self>
  static auto& member(Self& self) {
    if constexpr (I == 0)
      return self.label;
    else if constexpr (I == 1)
      return self.index;
    else
      return self.probs;
  }
  template <std::size_t I>
  auto& get() & {
    return member<I>(*this);
  }
  template <std::size_t I>
  const auto& get() const& {
    return member<I>(*this);
  }
  template <std::size_t I>
  auto&& get() && {
    return std::move(member<I>(*this));
  }
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
  /// A flat rate, then a cosine down to lr / div_final.
  void fit_flat_cos(int n_epoch, std::optional<Hyper> lr = std::nullopt, const FlatCosOptions& options = {});
  /// Cosines with warm restarts: `n_cycles`, the first of `cycle_len` epochs.
  void fit_sgdr(int n_cycles, int cycle_len, std::optional<Hyper> lr_max = std::nullopt,
                const SgdrOptions& options = {});
  /// A mock training whose learning rate grows, and what it suggests; everything is as before afterwards.
  LrFindResult lr_find(const LrFindOptions& options = {});
  /// Transfer learning in one line: `freeze_epochs` of the head, then `epochs` of all with sliced rates.
  void fine_tune(int epochs, const FineTuneOptions& options = {});
  /// Trains the head alone, in seconds: the frozen body's features of each training item and a few augmented views of it
  /// are computed once, in evaluation mode, and kept in memory; the head is trained on them, keeps the epoch that was
  /// the best for items held out of the training set, and of a class gives calibrated probabilities (a temperature
  /// multiplied into its last layer). One row of the table, over all validation items; `fine_tune` goes on from there.
  /// Throws `usage` for a model without `features` and `head`.
  void quick_fit(const QuickFitOptions& options = {});

  void freeze_to(int n);
  void freeze() { freeze_to(-1); }
  void unfreeze() { freeze_to(0); }

  /// Validation loss and metrics, in full precision.
  std::vector<double> validate(int ds_idx = 1);
  std::vector<double> validate(const DataLoader& dl);
  std::vector<double> validate(const DataLoader& dl, const Callbacks& cbs);
  /// Predictions of many items, through the events of a validation.
  Preds get_preds(const PredsOptions& options = {});
  /// Test-time augmentation: `n` passes with training transforms, averaged, mixed with a plain one (fastai `tta`).
  TtaPreds tta(const TtaOptions& options = {});
  /// Items with their targets and what the model says, right ones in green and wrong ones in red.
  Picture show_results(const ShowResultsOptions& options = {});
  /// The model's layers with their outputs' shapes for a batch, parameters, and what trains; as fastai prints it.
  std::string summary();
  /// The loop's events, each with the callbacks that act in it, in their order.
  std::string show_training_loop() const;
  /// One item through the validation transforms: a path, encoded bytes, or a decoded picture.
  Prediction predict(const fs::path& path) { return predict_value(path); }
  Prediction predict(const Bytes& encoded) { return predict_value(encoded); }
  Prediction predict(const Image& image) { return predict_value(image); }
  Prediction predict(const Row& row) { return predict_value(row); }

  /// Writes the one file that `load_learner`, `Predictor` and Python's safetensors open
  /// (docs/formats/model.md).
  void export_to(const fs::path& path, const ExportOptions& options = {});

  /// Weights (and optimizer state) to path/model_dir/`name`.safetensors; gives that path.
  fs::path save(const std::string& name, const SaveModelOptions& options = {});
  /// Back again; also from a file by its full name, and from PyTorch's `.pth` (weights alone). Without optimizer state
  /// in the file the listener is warned.
  void load(const fs::path& name, const LoadModelOptions& options = {});

  /// Half precision: the model runs under autocast on its device, float16 with a scaler of the loss, bfloat16 without
  /// one. (fastai `to_fp16`, `to_bf16`, `to_fp32`.)
  Learner& to_fp16(const GradScalerOptions& scaler = {});
  Learner& to_bf16();
  Learner& to_fp32();

  /// The state at the end of a training batch, of all of an epoch's training, of an epoch, or of a fit: for a callback
  /// in that event. Tensors are the live ones: copy before training goes on.
  enum class At { batch_end, train_end, epoch_end, fit_end };
  TrainingState state(At at) const;
  /// The fits that follow go on from `state` (see checkpoint.hpp).
  void resume(TrainingState state);
  /// In how many parts each batch is run since memory ran out; 1: whole.
  int batch_parts() const { return parts_; }
  /// While a batch is run in parts: place of the part's first item in the batch.
  std::int64_t part_begin = 0;
  /// Items of the whole batch.
  std::int64_t batch_size() const { return static_cast<std::int64_t>(items.size()); }

  const Recorder& recorder() const { return *recorder_; }
  const std::vector<Metric>& metrics() const { return options_.metrics; }
  Listener& listener() const { return *options_.listener; }
  const LearnerOptions& options() const { return options_; }
  /// Makes the optimizer anew from the model's groups.
  void create_opt();
  void add_cb(Callback callback);
  void add_cbs(const Callbacks& callbacks);
  /// Takes away all callbacks of that name; false where there was none.
  bool remove_cb(const std::string& name);
  const Callbacks& cbs() const { return cbs_; }
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

  LoaderTimes loader_times;     ///< of the last training epoch: see `bottleneck`
  double train_seconds = 0;     ///< that its training took

  /// Training-independent facts that an export carries: architecture, licence of the weights …
  Json provenance = Json::object();

 private:
  friend struct RecorderCallback;
  friend class TemporaryCallbacks;
  void with_callbacks(Callbacks cbs, const std::function<void()>& body);
  /// Trains one epoch, from the batch of that number on.
  using TrainBody = std::function<void(std::int64_t first)>;
  void run_fit(int epochs, const Callbacks& extra, const TrainBody& train);
  void one_epoch(const TrainBody& train);
  void epoch_train(const TrainBody& train);
  void epoch_validate(const DataLoader& dl, std::int64_t number = 0);
  void all_batches(const DataLoader& dl, std::int64_t number, std::int64_t first = 0);
  void one_batch(Batch batch);
  void forward_and_backward();
  void run_whole();
  void run_part(std::int64_t begin, std::int64_t size, std::int64_t of);
  void run_in_parts();
  void halve_batch(const std::string& reason);
  void restore(const TrainingState& state);
  std::int64_t take_resume_batch();
  /// Runs `body` with the callbacks of predictions and `more`, and everything of the loop as it was afterwards.
  void in_validation(const Callbacks& more, bool inner, const std::function<void()>& body);
  void set_order();
  Prediction predict_value(Value item);

  LearnerOptions options_;
  Callbacks cbs_;
  std::shared_ptr<Recorder> recorder_;
  std::int64_t epochs_begun_ = 0;  // over all fits: each trains on an order and draws of its own
  std::int64_t fits_begun_ = 0;
  std::int64_t steps_done_ = 0;  // training batches over all fits
  int parts_ = 1;
  std::shared_ptr<const TrainingState> resume_;  // until the fit that it belongs to goes on
};

}  // namespace kindling

/// Structured bindings see the first three members.
template <>
struct std::tuple_size<kindling::Prediction> : std::integral_constant<std::size_t, 3> {};
template <>
struct std::tuple_element<0, kindling::Prediction> {
  using type = std::string;
};
template <>
struct std::tuple_element<1, kindling::Prediction> {
  using type = std::int64_t;
};
template <>
struct std::tuple_element<2, kindling::Prediction> {
  using type = torch::Tensor;
};
