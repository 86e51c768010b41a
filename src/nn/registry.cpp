#include <kindling/core/error.hpp>
#include <kindling/nn/registry.hpp>

#include "nn/user_registry.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <ranges>

#include <fmt/format.h>

namespace kindling {

namespace detail {
extern const std::string_view registry_json;
}

namespace {

constexpr int registry_format = 1;
constexpr std::uint64_t max_registry_bytes = 1 << 20;

template <class T>
void take(const Json& json, const char* key, T& target) {
  if (json.contains(key)) json.at(key).get_to(target);
}

PretrainedEntry entry_of(const Json& json) {
  PretrainedEntry e;
  take(json, "name", e.name);
  take(json, "arch", e.arch);
  take(json, "default", e.is_default);
  take(json, "urls", e.urls);
  take(json, "file", e.file);
  take(json, "sha256", e.sha256);
  take(json, "sha256_prefix", e.sha256_prefix);
  take(json, "bytes", e.bytes);
  take(json, "pypi", e.pypi);
  take(json, "wheel", e.wheel);
  take(json, "licence", e.licence);
  take(json, "source", e.source);
  take(json, "key_map", e.key_map);
  take(json, "mean", e.mean);
  take(json, "std", e.std);
  take(json, "size", e.size);
  return e;
}

Json json_of(const PretrainedEntry& e) {
  return {{"name", e.name},
          {"arch", e.arch},
          {"default", e.is_default},
          {"urls", e.urls},
          {"file", e.file},
          {"sha256", e.sha256},
          {"sha256_prefix", e.sha256_prefix},
          {"bytes", e.bytes},
          {"pypi", e.pypi},
          {"wheel", e.wheel},
          {"licence", e.licence},
          {"source", e.source},
          {"key_map", e.key_map},
          {"mean", e.mean},
          {"std", e.std},
          {"size", e.size}};
}

void check_entry(const PretrainedEntry& e) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorCode::bad_data, "an entry of the weights registry is wrong: " + what,
                {{"entry", e.name}});
  };
  if (!detail::is_plain_name(e.name)) fail("its name is not made of letters, digits, '.', '_' and '-'");
  if (e.arch.empty()) fail("it has no arch");
  if (!detail::is_plain_name(e.file)) fail("its file is not a plain file name");
  if (e.mean.size() != e.std.size()) fail("mean and std differ in length");
}

std::vector<PretrainedEntry> parse_registry(std::string_view text, const std::string& where) {
  const Json json = parse_json(text, where);
  try {
    if (json.at("format").get<int>() != registry_format) {
      throw Error(ErrorCode::unsupported, "the weights registry has a format that this version does not know",
                  {{"path", where}}, "use a newer kindling, or delete the file");
    }
    std::vector<PretrainedEntry> entries;
    for (const auto& item : json.at("entries")) {
      entries.push_back(entry_of(item));
      check_entry(entries.back());
    }
    return entries;
  } catch (const Json::exception&) {
    throw Error(ErrorCode::bad_data, "the weights registry does not have the expected fields",
                {{"path", where}}, "repair the file, or delete it");
  } catch (Error& e) {
    throw e.with({"path", where}).with_hint("repair the file, or delete it");
  }
}

fs::path user_registry_path() {
  return kindling_home() / "registry.json";
}

std::string user_registry_text() {
  std::error_code ignored;
  const fs::path path = user_registry_path();
  return fs::exists(path, ignored) ? read_text(path, max_registry_bytes) : std::string();
}

}  // namespace

const std::vector<PretrainedEntry>& weights_registry() {
  // References that were given out stay good: a changed file makes a further list beside the older ones.
  static std::mutex mutex;
  static std::map<std::string, std::vector<PretrainedEntry>> lists;
  const std::string text = user_registry_text();
  const std::lock_guard lock(mutex);
  const auto known = lists.find(text);
  if (known != lists.end()) return known->second;
  auto entries = parse_registry(detail::registry_json, "registry.json");
  if (!text.empty()) {
    for (auto& entry : parse_registry(text, user_registry_path().string()))
      entries.push_back(std::move(entry));
  }
  return lists.emplace(text, std::move(entries)).first->second;
}

const PretrainedEntry& find_pretrained(const std::string& name_or_arch) {
  const auto& entries = weights_registry();
  std::vector<std::string> names;
  const PretrainedEntry* of_arch = nullptr;
  for (const auto& entry : entries | std::views::reverse) {
    if (entry.name == name_or_arch) return entry;
    names.push_back(entry.name);
    names.push_back(entry.arch);
    if (entry.arch == name_or_arch && (of_arch == nullptr || (entry.is_default && !of_arch->is_default)))
      of_arch = &entry;
  }
  if (of_arch != nullptr) return *of_arch;
  throw Error(ErrorCode::not_found,
              fmt::format("there are no pretrained weights named '{}'{}", name_or_arch,
                          did_you_mean(name_or_arch, names)),
              {},
              "`kindling weights list` shows the names; `kindling weights add FILE --name NAME --arch ARCH` "
              "adds your own");
}

bool detail::is_plain_name(const std::string& name) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= 100 && name[0] != '.' && std::ranges::all_of(name, fits);
}

void detail::add_user_entry(const PretrainedEntry& entry) {
  check_entry(entry);
  const std::string text = user_registry_text();
  auto entries =
      text.empty() ? std::vector<PretrainedEntry>() : parse_registry(text, user_registry_path().string());
  std::erase_if(entries, [&](const PretrainedEntry& e) { return e.name == entry.name; });
  entries.push_back(entry);
  Json list = Json::array();
  for (const auto& e : entries) list.push_back(json_of(e));
  write_file(user_registry_path(),
             Json{{"format", registry_format}, {"entries", std::move(list)}}.dump(2) + "\n");
}

}  // namespace kindling
