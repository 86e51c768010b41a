#include <kindling/core/error.hpp>
#include <kindling/nn/seal.hpp>
#include <kindling/train/checkpoint.hpp>

#include "train/checkpoint_files.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace kindling {

namespace {

constexpr const char* checkpoint_format = "kindling.checkpoint";
constexpr int checkpoint_version = 1;
constexpr std::string_view ending = ".safetensors";

Json position_to_json(const TrainingPosition& p) {
  return {{"fit", p.fit},     {"fit_done", p.fit_done}, {"epoch", p.epoch}, {"in_epoch", p.in_epoch},
          {"batch", p.batch}, {"steps", p.steps}};
}

TrainingPosition position_from(const Json& json) {
  return {.fit = json.at("fit").get<std::int64_t>(),
          .fit_done = json.at("fit_done").get<bool>(),
          .epoch = json.at("epoch").get<int>(),
          .in_epoch = json.at("in_epoch").get<bool>(),
          .batch = json.at("batch").get<std::int64_t>(),
          .steps = json.at("steps").get<std::int64_t>()};
}

Error damaged_checkpoint(const Error& e, const fs::path& path) {
  Error error(ErrorCode::bad_model, "the checkpoint is damaged: " + e.message(), e.facts(),
              "go on from an older checkpoint, or begin anew");
  return error.with({"path", path});
}

/// The seal is checked before anything in the file is believed.
Weights open_checkpoint(const fs::path& path) {
  const MappedFile file(path);
  try {
    check_seal(file.bytes(), path.string());
    return read_safetensors(file.bytes(), std::make_shared<MappedFile>(file), path.string());
  } catch (const Error& e) {
    throw damaged_checkpoint(e, path);
  }
}

}  // namespace

void save_training_state(const fs::path& path, const TrainingState& state) {
  const Json manifest = {{"format", checkpoint_format},
                         {"format_version", checkpoint_version},
                         {"kindling", KINDLING_VERSION},
                         {"position", position_to_json(state.position)},
                         {"values", state.values}};
  save_safetensors(path, state.tensors, {{"format", "pt"}, {manifest_key, manifest.dump()}}, {.sealed = true});
}

TrainingState read_training_state(const fs::path& path) {
  const Weights weights = open_checkpoint(path);
  try {
    const auto found = weights.metadata().find(manifest_key);
    const Json manifest =
        found == weights.metadata().end() ? Json() : parse_json(found->second, "the manifest of " + path.string());
    if (!manifest.is_object() || manifest.value("format", "") != checkpoint_format)
      throw Error(ErrorCode::bad_model, "this file is no checkpoint", {{"path", path}},
                  "give one that kindling wrote: RUN/checkpoints/*.safetensors");
    const int version = manifest.value("format_version", 0);
    if (version < 1 || version > checkpoint_version)
      throw Error(ErrorCode::bad_model, "the checkpoint has a format version that is not known",
                  {{"path", path}, {"expected", checkpoint_version}, {"got", version}}, "use a newer kindling");
    return {position_from(manifest.at("position")), manifest.at("values"), weights.tensors()};
  } catch (const Json::exception& e) {
    throw Error(ErrorCode::bad_model, "the checkpoint's manifest is not complete",
                {{"path", path}, {"detail", e.what()}});
  }
}

fs::path detail::checkpoint_path(const fs::path& folder, std::int64_t number) {
  return folder / fmt::format("{:06}{}", number, ending);
}

std::vector<detail::NumberedFile> detail::checkpoint_files(const fs::path& folder) {
  std::vector<NumberedFile> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(ending)) continue;
    const char* end = name.data() + name.size() - ending.size();
    std::int64_t number = 0;
    const auto [rest, failed] = std::from_chars(name.data(), end, number);
    if (failed == std::errc() && rest == end && number > 0) files.push_back({number, entry.path()});
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.number > b.number; });
  return files;
}

std::optional<FoundCheckpoint> last_checkpoint(const fs::path& folder) {
  std::vector<fs::path> candidates;
  for (const auto& file : detail::checkpoint_files(folder)) candidates.push_back(file.path);
  // It is older than the others, but better than nothing.
  std::error_code ignored;
  if (const fs::path best = folder / detail::best_file; fs::exists(best, ignored)) candidates.push_back(best);
  std::vector<Error> broken;
  for (const fs::path& path : candidates) {
    try {
      TrainingState state = read_training_state(path);
      return FoundCheckpoint{path, std::move(state), std::move(broken)};
    } catch (const Error& e) {
      if (e.code() != ErrorCode::bad_model) throw;
      broken.push_back(e);
    }
  }
  if (broken.empty()) return std::nullopt;
  throw Error(ErrorCode::bad_model, "no checkpoint of this run can be used",
              {{"folder", folder}, {"checkpoints", candidates.size()}, {"reason", broken.front().message()}},
              "begin anew: kindling train --like RUN");
}

}  // namespace kindling
