#include "vision/collect_sources.hpp"

#include <kindling/core/error.hpp>

#include "core/csv.hpp"

#include <algorithm>
#include <array>

namespace kindling::detail {

namespace {

constexpr std::uint64_t max_csv_bytes = std::uint64_t{256} << 20;
constexpr std::chrono::milliseconds save_every{500};
constexpr std::array<std::string_view, 10> columns{"file",    "url",         "source_page", "title",  "author",
                                                   "licence", "licence_url", "sha256",      "status", "reason"};
constexpr std::array statuses{CollectStatus::ok,      CollectStatus::duplicate, CollectStatus::unreadable,
                              CollectStatus::refused, CollectStatus::failed,    CollectStatus::removed};

/// A spreadsheet would run a cell that begins like a formula; titles and names come from strangers.
std::string cell(const std::string& text) {
  const bool formula = !text.empty() && std::string_view("=+-@").find(text.front()) != std::string_view::npos;
  return formula ? "'" + text : text;
}

Error not_ours(const fs::path& csv, const std::string& reason) {
  return Error(ErrorCode::bad_data, "this is not a list of sources that kindling wrote: " + reason, {{"path", csv}},
               "move the file away, or collect into another folder");
}

CollectStatus status_from(const std::string& name, const fs::path& csv) {
  for (const CollectStatus status : statuses) {
    if (name_of(status) == name) return status;
  }
  throw not_ours(csv, "it has the status '" + name + "'");
}

bool leaves_folder(const fs::path& file) {
  return file.is_absolute() || std::find(file.begin(), file.end(), fs::path("..")) != file.end();
}

}  // namespace

CollectSources::CollectSources(fs::path csv) : csv_(std::move(csv)), folder_(csv_.parent_path()) {
  std::error_code ignored;
  if (fs::exists(csv_, ignored)) read(read_text(csv_, max_csv_bytes));
  first_new_ = rows_.size();
}

void CollectSources::read(const std::string& text) {
  const auto records = parse_csv(text, csv_.string());
  if (records.empty()) return;
  const auto& head = records.front().fields;
  std::array<std::size_t, columns.size()> at{};
  for (std::size_t c = 0; c < columns.size(); ++c) {
    at[c] = static_cast<std::size_t>(std::ranges::find(head, columns[c]) - head.begin());
    if (at[c] == head.size()) throw not_ours(csv_, "it has no column '" + std::string(columns[c]) + "'");
  }
  std::vector<std::size_t> more;
  for (std::size_t c = 0; c < head.size(); ++c) {
    if (std::ranges::find(at, c) == at.end()) more.push_back(c), more_columns_.push_back(head[c]);
  }
  for (auto record = records.begin() + 1; record != records.end(); ++record) {
    auto fields = record->fields;
    fields.resize(std::max(fields.size(), head.size()));
    const auto field = [&](std::size_t c) { return fields[at[c]]; };
    Row row{.image = {.from = {.url = field(1), .thumbnail = {}, .title = field(3), .author = field(4),
                               .licence = field(5), .licence_url = field(6), .source_page = field(2)},
                      .file = field(0),
                      .sha256 = field(7),
                      .status = status_from(field(8), csv_),
                      .reason = field(9),
                      .was_there = true},
            .more = {}};
    for (const std::size_t c : more) row.more.push_back(fields[c]);
    if (leaves_folder(row.image.file)) throw not_ours(csv_, "a file's path leaves the folder");
    const CollectedImage& image = row.image;
    by_url_[image.from.url] = rows_.size();
    if (!image.file.empty()) by_file_[image.file] = image.from.url;
    const bool holds = image.status == CollectStatus::ok || image.status == CollectStatus::removed;
    if (holds && !image.sha256.empty()) by_digest_.emplace(image.sha256, image.file);
    rows_.emplace(rows_.size(), std::move(row));
  }
}

std::optional<CollectedImage> CollectSources::find(const std::string& url) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_url_.find(url);
  if (found == by_url_.end()) return std::nullopt;
  return rows_.at(found->second).image;
}

std::optional<fs::path> CollectSources::claim(const std::string& sha256, const fs::path& file) {
  const std::lock_guard lock(mutex_);
  const auto [at, is_new] = by_digest_.emplace(sha256, file);
  if (is_new || at->second == file) return std::nullopt;
  return at->second;
}

void CollectSources::release(const std::string& sha256) {
  const std::lock_guard lock(mutex_);
  by_digest_.erase(sha256);
}

bool CollectSources::is_taken(const fs::path& file, const std::string& url) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_file_.find(file);
  return found != by_file_.end() && found->second != url;
}

void CollectSources::put(const CollectedImage& image, std::size_t order) {
  const std::lock_guard lock(mutex_);
  const auto known = by_url_.find(image.from.url);
  const std::size_t place = known == by_url_.end() ? first_new_ + order : known->second;
  Row& row = rows_[place];
  row.image = image;
  row.more.resize(more_columns_.size());
  by_url_[image.from.url] = place;
  if (!image.file.empty()) by_file_[image.file] = image.from.url;
  changed_ = true;
}

std::string CollectSources::text() const {
  std::vector<std::string> head(columns.begin(), columns.end());
  head.insert(head.end(), more_columns_.begin(), more_columns_.end());
  std::string text = csv_line(head);
  for (const auto& [order, row] : rows_) {
    const CollectedImage& image = row.image;
    const ImageResult& from = image.from;
    std::vector<std::string> fields{image.file.generic_string(), cell(from.url), cell(from.source_page),
                                    cell(from.title), cell(from.author), cell(from.licence), cell(from.licence_url),
                                    image.sha256, std::string(name_of(image.status)), cell(image.reason)};
    fields.insert(fields.end(), row.more.begin(), row.more.end());
    text += csv_line(fields);
  }
  return text;
}

void CollectSources::save(bool now) {
  const std::lock_guard lock(mutex_);
  const auto time = std::chrono::steady_clock::now();
  if (!changed_ || (!now && time - saved_at_ < save_every)) return;
  std::error_code error;
  if (!folder_.empty()) fs::create_directories(folder_, error);
  if (error) throw system_error(error.value(), "create the folder", folder_);
  write_file(csv_, text());
  changed_ = false;
  saved_at_ = time;
}

}  // namespace kindling::detail
