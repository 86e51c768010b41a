#pragma once
/// Logs of a training in files: CSV, JSON lines, TensorBoard.

#include <kindling/core/files.hpp>
#include <kindling/train/callback.hpp>

#include <cstdio>
#include <memory>
#include <string>

namespace kindling {

/// A file that grows line by line.
class LogFile {
 public:
  /// Throws `io`, `no_space`.
  void open(const fs::path& path, bool append);
  void write(const void* data, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void flush();
  explicit operator bool() const { return file_ != nullptr; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
  fs::path path_;
};

struct CSVLoggerOptions {
  fs::path fname = "history.csv";  ///< below the learner's path
  bool append = false;             ///< false: each fit begins the file anew
};

/// The table with full precision (fastai `CSVLogger`).
class CSVLogger {
 public:
  static constexpr int order = 60;
  static constexpr bool fit_only = true;
  static constexpr bool skip_lr_find = true;
  explicit CSVLogger(CSVLoggerOptions options = {}) : options_(std::move(options)) {}
  void before_fit(Learner& learn);
  void after_epoch(Learner& learn);

 private:
  CSVLoggerOptions options_;
  std::shared_ptr<LogFile> file_ = std::make_shared<LogFile>();
};

struct JsonLoggerOptions {
  fs::path fname = "log.jsonl";  ///< below the learner's path
  bool append = true;
  int every = 1;  ///< one line each so many training batches; 0: epochs alone
};

/// One JSON object a line: {"event": "batch", "iter", "loss", "lr", …} and {"event": "epoch", <columns>}.
class JsonLogger {
 public:
  static constexpr int order = 60;
  static constexpr bool fit_only = true;
  static constexpr bool skip_lr_find = true;
  explicit JsonLogger(JsonLoggerOptions options = {}) : options_(std::move(options)) {}
  void before_fit(Learner& learn);
  void after_batch(Learner& learn);
  void after_epoch(Learner& learn);

 private:
  JsonLoggerOptions options_;
  std::shared_ptr<LogFile> file_ = std::make_shared<LogFile>();
};

/// Draws the losses anew after each epoch (fastai `ShowGraphCallback`): `plot_loss` in a page, or as JSON where the name
/// ends so.
struct ShowGraphCallback {
  static constexpr int order = 65;
  static constexpr bool run_valid = false;
  static constexpr bool fit_only = true;
  static constexpr bool skip_lr_find = true;
  fs::path fname = "graph.html";  ///< below the learner's path
  void after_epoch(Learner& learn) const;
};

/// Writes TensorBoard's event files: TFRecords of `Event` messages (docs/formats/run.md).
class EventFileWriter {
 public:
  /// A new file events.out.tfevents.<time>.<host>.<pid>.<n> in `folder`, which is made where needed.
  explicit EventFileWriter(const fs::path& folder);
  void add_scalar(const std::string& tag, double value, std::int64_t step);
  /// `png` is an encoded picture.
  void add_image(const std::string& tag, const Bytes& png, int width, int height, std::int64_t step);
  void flush() { file_.flush(); }
  const fs::path& path() const { return path_; }

 private:
  void add(const std::string& value_message, std::int64_t step);
  void record(const std::string& message);
  LogFile file_;
  fs::path path_;
};

struct TensorBoardOptions {
  fs::path log_dir = "runs/tensorboard";  ///< below the learner's path; each fit writes a file of its own into it
  bool log_preds = false;                 ///< after each epoch the picture of `show_results`
  int n_preds = 9;
};

/// Smoothed loss and hyper-parameters at each batch ("train_loss", "lr_0", "mom_0" …), the table's columns at each epoch,
/// all at `train_iter` (fastai `TensorBoardCallback`).
class TensorBoardCallback {
 public:
  static constexpr int order = 60;
  static constexpr bool run_valid = false;
  static constexpr bool fit_only = true;
  static constexpr bool skip_lr_find = true;
  explicit TensorBoardCallback(TensorBoardOptions options = {}) : options_(std::move(options)) {}
  void before_fit(Learner& learn);
  void after_batch(Learner& learn);
  void after_epoch(Learner& learn);
  void after_fit(Learner& learn);

 private:
  TensorBoardOptions options_;
  std::shared_ptr<EventFileWriter> writer_;
};

}  // namespace kindling
