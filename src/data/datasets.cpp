#include <kindling/core/download.hpp>
#include <kindling/core/error.hpp>
#include <kindling/data/datasets.hpp>

#include "core/http_transfer.hpp"
#include "core/leftovers.hpp"
#include "core/md5.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace kindling {

namespace {

constexpr std::uint64_t max_archive_bytes = std::uint64_t{64} << 30;

fs::path or_home(const fs::path& folder, const char* name) {
  return folder.empty() ? kindling_home() / name : folder;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// "pets.tgz" of an address. Throws `usage` where the address ends in no name of an archive.
std::string archive_name(const std::string& url) {
  const std::string name = fs::path(detail::parse_address(url).path).filename().string();
  if (name.empty() || name.front() == '.') {
    throw Error(ErrorCode::usage, "the address does not end in the name of an archive", {{"url", url}},
                "give the address of a .tgz, .tar or .zip file");
  }
  return name;
}

std::string without_ending(const std::string& name) {
  for (const std::string_view ending :
       {".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tgz", ".tbz2", ".txz", ".tar", ".zip"}) {
    if (name.size() > ending.size() && name.ends_with(ending)) return name.substr(0, name.size() - ending.size());
  }
  return name;
}

/// Where one data set lies, and what its archive must be.
struct Place {
  std::string url;
  fs::path archive;
  fs::path folder;
  DownloadOptions check;
};

Place place_of(const DataUrl& entry, const UntarOptions& options) {
  Place place;
  place.url = entry.url;
  const std::string name = archive_name(place.url);
  place.archive = or_home(options.archive, "archive") / name;
  place.folder = or_home(options.data, "data") / without_ending(name);
  if (place.folder == place.archive) place.folder += ".data";
  place.check.sha256 = options.sha256;
  place.check.md5_start = entry.md5_start;
  place.check.bytes = entry.bytes;
  place.check.max_bytes = max_archive_bytes;
  place.check.listener = options.listener;
  return place;
}

/// An archive that a former call brought, or that somebody put there. Without a check it cannot be told from a
/// stale one, and is taken, as fastai does.
bool is_good(const Place& place) {
  std::error_code error;
  const auto bytes = fs::file_size(place.archive, error);
  if (error) return false;
  const DownloadOptions& check = place.check;
  return (check.bytes == 0 || check.bytes == bytes) &&
         (check.md5_start.empty() || check.md5_start == detail::md5_of_start(place.archive)) &&
         (check.sha256.empty() || check.sha256 == sha256_of(place.archive));
}

/// A folder beside the final one that goes unless it was renamed.
class TemporaryPlace {
 public:
  explicit TemporaryPlace(const fs::path& beside) {
    detail::remove_leftovers(beside.parent_path());
    path_ = detail::temporary_name(beside.parent_path());
    std::error_code error;
    fs::create_directories(path_, error);
    if (error) throw system_error(error.value(), "create the folder", path_);
  }
  ~TemporaryPlace() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryPlace(const TemporaryPlace&) = delete;
  TemporaryPlace& operator=(const TemporaryPlace&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// The one folder in a folder, else the folder itself.
fs::path single_root(const fs::path& folder) {
  const fs::directory_iterator first(folder);
  if (first == fs::directory_iterator()) return folder;
  const fs::path entry = first->path();
  const bool alone = std::distance(fs::directory_iterator(folder), fs::directory_iterator()) == 1;
  return alone && fs::is_directory(fs::symlink_status(entry)) ? entry : folder;
}

void rename_or_throw(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) throw system_error(error.value(), "write the folder", to);
}

void unpack(const Place& place, const UntarOptions& options) {
  const TemporaryPlace temporary(place.folder);
  const fs::path fresh = temporary.path() / "new";
  ExtractOptions extract = options.extract;
  extract.listener = options.listener;
  extract_archive(place.archive, fresh, extract);
  const fs::path old = temporary.path() / "old";
  if (options.force_download && is_there(place.folder)) rename_or_throw(place.folder, old);
  std::error_code error;
  fs::rename(single_root(fresh), place.folder, error);
  // Another process may have been quicker; what it unpacked is as good.
  if (!error || is_there(place.folder)) return;
  if (is_there(old)) rename_or_throw(old, place.folder);
  throw system_error(error.value(), "write the folder", place.folder);
}

fs::path get(const DataUrl& entry, const UntarOptions& options) {
  const Place place = place_of(entry, options);
  if (!options.force_download && is_there(place.folder)) return place.folder;
  if (options.force_download || !is_good(place)) {
    try {
      download(place.url, place.archive, place.check);
    } catch (Error& e) {
      if (!entry.name.empty()) e.with("data set", std::string(entry.name));
      throw;
    }
  }
  unpack(place, options);
  return place.folder;
}

}  // namespace

fs::path untar_data(const DataUrl& url, const UntarOptions& options) {
  return get(url, options);
}

fs::path untar_data(const std::string& url, const UntarOptions& options) {
  const auto known = std::ranges::find(detail::data_urls, url, &DataUrl::url);
  return get(known == detail::data_urls.end() ? DataUrl{.url = url} : *known, options);
}

fs::path data_path(const DataUrl& url, const UntarOptions& options) {
  return place_of(url, options).folder;
}

const DataUrl& find_data_url(const std::string& name) {
  const auto known = std::ranges::find(detail::data_urls, name, &DataUrl::name);
  if (known != detail::data_urls.end()) return *known;
  std::vector<std::string> names;
  for (const DataUrl& entry : detail::data_urls) names.emplace_back(entry.name);
  throw Error(ErrorCode::not_found, fmt::format("there is no data set '{}'{}", name, did_you_mean(name, names)), {},
              "`kindling data list` shows the names");
}

}  // namespace kindling
