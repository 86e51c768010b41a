#pragma once
/// The folder that a training leaves: made when training begins, and taken away again when nothing came of
/// it.

#include <kindling/core/files.hpp>
#include <kindling/core/listener.hpp>

#include "cli/run_lock.hpp"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace kindling::cli {

/// Throws `usage` when `wanted` is a file, or a folder with something in it: a run never overwrites another.
void check_run_folder(const fs::path& wanted);

class RunFolder {
 public:
  /// Makes `wanted`; where it is empty `runs/<name of data>-<n>` with the first free number.
  RunFolder(const fs::path& wanted, const fs::path& data);
  /// The folder of a run that was begun before: it stays. Throws `usage` while another process works on it, `not_found`
  /// where it holds no run.
  explicit RunFolder(const fs::path& existing);
  /// Removes the run's files and the folders that were made for it, unless `keep` was called.
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const fs::path& path() const { return path_; }
  fs::path file(const char* name) const { return path_ / name; }
  /// From now on the folder stays, whatever happens.
  void keep() { kept_ = true; }

 private:
  fs::path path_;
  std::vector<fs::path> made_;  ///< folders, the outermost first
  std::unique_ptr<RunLock> lock_;
  bool kept_ = false;
};

inline constexpr const char* run_file = "run.json";
inline constexpr int run_format_version = 1;  ///< of run.json
inline constexpr const char* history_file = "history.csv";
inline constexpr const char* events_file = "events.jsonl";
inline constexpr const char* model_file = "model.safetensors";
inline constexpr const char* checkpoints_folder = "checkpoints";

/// A run's run.json. Throws `not_found` where the folder holds no run, `bad_data` for one that cannot be read.
Json read_run(const fs::path& run);
/// Writes it, atomically.
void write_run(const fs::path& run, const Json& record);

/// Shows everything on another listener, and writes each event to the run's events.jsonl. Events that come
/// before the file is there are kept for it.
class EventLog final : public Listener {
 public:
  explicit EventLog(std::shared_ptr<Listener> shown) : shown_(std::move(shown)) {}

  void progress(const Progress& p) override { shown_->progress(p); }
  void table_header(const std::vector<std::string>& columns) override { shown_->table_header(columns); }
  void table_row(const std::vector<std::string>& cells) override { shown_->table_row(cells); }
  void message(Level level, std::string_view text) override { shown_->message(level, text); }
  /// Throws `io` or `no_space`.
  void event(const Json& event) override;
  void write_to(const fs::path& path);
  /// Goes on behind the last whole line of a file that is there.
  void append_to(const fs::path& path);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void write(const Json& event);
  void open(const fs::path& path, const char* mode);
  std::shared_ptr<Listener> shown_;
  std::vector<Json> waiting_;
  std::unique_ptr<std::FILE, Close> file_;
  fs::path path_;
};

}  // namespace kindling::cli
