#include "cli/run_folder.hpp"

#include <kindling/core/error.hpp>

#include <cerrno>
#include <charconv>

#include <fmt/format.h>

namespace kindling::cli {

namespace {

constexpr const char* all_runs = "runs";

/// Makes a folder and those above it; notes the new ones, the outermost first. False where it exists.
bool make_folder(const fs::path& path, std::vector<fs::path>& made) {
  std::error_code error;
  const fs::path above = path.parent_path();
  if (!above.empty() && !fs::exists(above, error)) make_folder(above, made);
  const bool is_new = fs::create_directory(path, error);
  if (error) throw system_error(error.value(), "create the folder", path);
  if (is_new) made.push_back(path);
  return is_new;
}

std::string name_of_data(const fs::path& data) {
  std::error_code ignored;
  fs::path full = fs::weakly_canonical(data, ignored);
  if (!full.has_filename()) full = full.parent_path();
  // Of a file the name alone: ratings.csv.gz makes runs/ratings-1.
  if (fs::is_regular_file(full, ignored)) {
    if (full.extension() == ".gz") full = full.stem();
    full = full.stem();
  }
  const std::string name = full.filename().string();
  return name.empty() || name == "." || name == "/" ? "data" : name;
}

/// The number after the largest in use, so that a run's number also says its order.
int next_number(const std::string& prefix) {
  int largest = 0;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(all_runs, none)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    int number = 0;
    const char* end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data() + prefix.size(), end, number);
    if (error == std::errc() && rest == end && number < 1'000'000'000) largest = std::max(largest, number);
  }
  return largest + 1;
}

}  // namespace

void check_run_folder(const fs::path& wanted) {
  std::error_code error;
  if (wanted.empty() || !fs::exists(wanted, error)) return;
  if (fs::is_directory(wanted, error) && fs::is_empty(wanted, error) && !error) return;
  throw Error(ErrorCode::usage, "there is something at the run's place already", {{"path", wanted}},
              "name a new folder with -o, or remove this one");
}

RunFolder::RunFolder(const fs::path& wanted, const fs::path& data) : path_(wanted) {
  check_run_folder(wanted);
  if (!wanted.empty()) {
    make_folder(path_, made_);
  } else {
    const std::string prefix = name_of_data(data) + "-";
    int number = next_number(prefix);
    do {
      path_ = fs::path(all_runs) / fmt::format("{}{}", prefix, number++);
    } while (!make_folder(path_, made_));
  }
  lock_ = std::make_unique<RunLock>(path_);
}

RunFolder::RunFolder(const fs::path& existing) : path_(existing), kept_(true) {
  (void)read_run(path_);
  lock_ = std::make_unique<RunLock>(path_);
}

RunFolder::~RunFolder() {
  lock_.reset();
  if (kept_) return;
  std::error_code ignored;
  fs::remove(file(checkpoints_folder), ignored);
  for (const char* name : {run_file, history_file, events_file, model_file}) fs::remove(file(name), ignored);
  // Only empty folders go: whatever else lies there is not this run's.
  for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder) fs::remove(*folder, ignored);
}

Json read_run(const fs::path& run) {
  std::error_code ignored;
  const fs::path path = run / run_file;
  if (!fs::exists(path, ignored)) {
    throw Error(ErrorCode::not_found, "there is no run here", {{"path", run}, {"expected", run_file}},
                "name the folder that `kindling train` made");
  }
  Json record = parse_json(read_text(path), path.string());
  if (!record.is_object() || record.value("format", Json()) != "kindling.run" || !record.contains("settings") ||
      !record["settings"].is_object() || !record.contains("data") || !record["data"].is_object()) {
    throw Error(ErrorCode::bad_data, "this run.json does not describe a run", {{"path", path}},
                "name the folder that `kindling train` made");
  }
  return record;
}

void write_run(const fs::path& run, const Json& record) {
  write_file(run / run_file, record.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void EventLog::event(const Json& event) {
  shown_->event(event);
  if (file_)
    write(event);
  else
    waiting_.push_back(event);
}

void EventLog::write_to(const fs::path& path) {
  open(path, "we");
}

void EventLog::append_to(const fs::path& path) {
  std::error_code missing;
  if (fs::exists(path, missing)) {
    // A kill may have cut the last line.
    const std::string text = read_text(path);
    const auto end = text.rfind('\n');
    const std::uintmax_t whole = end == std::string::npos ? 0 : end + 1;
    if (whole != text.size()) fs::resize_file(path, whole);
  }
  open(path, "ae");
}

void EventLog::open(const fs::path& path, const char* mode) {
  path_ = path;
  file_.reset(std::fopen(path.c_str(), mode));
  if (!file_) throw system_error(errno, "write the file", path);
  for (const Json& event : waiting_) write(event);
  waiting_.clear();
}

void EventLog::write(const Json& event) {
  const std::string line = event.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() || std::fflush(file_.get()) != 0)
    throw system_error(errno, "write the file", path_);
}

}  // namespace kindling::cli
