#include <kindling/nn/seal.hpp>
#include <kindling/nn/weights.hpp>
#include <kindling/train/export.hpp>

#include "cli/command.hpp"
#include "cli/model_path.hpp"
#include "cli/output.hpp"
#include "nn/dtype_names.hpp"

#include <map>
#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace kindling::cli {

namespace {

struct InfoOptions {
  CommonOptions common;
  std::string model;
};

/// What the tensors of a file come to.
struct Contents {
  std::uint64_t bytes = 0;
  std::size_t tensors = 0;
  std::int64_t numbers = 0;
  std::map<std::string, std::size_t> dtypes;
};

Contents contents_of(const fs::path& path, const Weights& weights, const std::string& prefix) {
  Contents c{.bytes = fs::file_size(path)};
  for (const auto& [name, tensor] : weights.tensors()) {
    if (!name.starts_with(prefix)) continue;
    ++c.tensors;
    c.numbers += tensor.numel();
    const auto dtype = detail::safetensors_name(tensor.scalar_type());
    ++c.dtypes[dtype.empty() ? std::string(c10::toString(tensor.scalar_type())) : std::string(dtype)];
  }
  return c;
}

std::string in_words(const Contents& c) {
  std::vector<std::string> dtypes;
  for (const auto& [name, n] : c.dtypes) dtypes.push_back(fmt::format("{} {}", n, name));
  return fmt::format("{:.2f} million numbers in {} ({})", static_cast<double>(c.numbers) / 1e6,
                     count_of(c.tensors, "tensor", "tensors"), fmt::join(dtypes, ", "));
}

/// A JSON value as a person reads it: no quotes round text, no braces round settings.
std::string plain(const Json& value) {
  if (value.is_string()) return safe(value.get<std::string>());
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  std::vector<std::string> parts;
  if (value.is_array()) {
    for (const Json& v : value) parts.push_back(plain(v));
  } else if (value.is_object()) {
    for (const auto& [key, v] : value.items()) parts.push_back(safe(key) + " " + plain(v));
  } else {
    return value.dump();
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// Transforms of the pictures: "OpenImage (mode RGB, …)".
void add_transforms(const Json& list, std::vector<std::vector<std::string>>& rows, const std::string& title) {
  for (const Json& tfm : list) {
    Json settings = tfm;
    settings.erase("name");
    const std::string details = settings.empty() ? "" : fmt::format(" ({})", plain(settings));
    rows.push_back({rows.back()[0] == title || rows.back()[0].empty() ? "" : title,
                    safe(tfm.value("name", "")) + details});
  }
}

/// Columns of a model of tables, and what is done with them.
void add_columns(const Json& encoder, std::vector<std::vector<std::string>>& rows) {
  const std::pair<const char*, const char*> parts[] = {{"cont_names", "numbers"}, {"table_cats", "classes of"}, {"y_names", "target"}};
  for (const auto& [key, title] : parts) {
    if (encoder.contains(key) && !encoder[key].empty()) rows.push_back({title, plain(encoder[key])});
  }
  std::vector<std::string> steps;
  for (const Json& step : encoder.value("procs", Json::array())) steps.push_back(safe(step.value("name", "")));
  if (!steps.empty()) rows.push_back({"steps", fmt::format("{}", fmt::join(steps, ", "))});
}

void show_model(const fs::path& path, const Json& manifest, const Contents& c) {
  const Json nothing = Json::object();
  const auto part = [&](const char* key) -> const Json& {
    return manifest.contains(key) ? manifest[key] : nothing;
  };
  std::vector<std::vector<std::string>> rows;
  rows.push_back({"file", fmt::format("{} ({})", safe(path.string()), human_bytes(c.bytes))});
  rows.push_back({"format", fmt::format("kindling model, version {}, written by kindling {}",
                                        plain(part("format_version")), plain(part("kindling")))});
  rows.push_back({"model", plain(part("model"))});
  rows.push_back({"weights", in_words(c)});
  rows.push_back({"from", plain(part("weights"))});
  rows.push_back({"classes", plain(part("vocab"))});
  const Json& pipeline = part("pipeline");
  if (pipeline.contains("blocks") && !pipeline["blocks"].empty())
    add_transforms(pipeline["blocks"][0], rows, "photos");
  if (pipeline.contains("encoder")) add_columns(pipeline["encoder"], rows);
  for (const char* key : {"item_tfms", "batch_tfms"}) {
    if (pipeline.contains(key)) add_transforms(pipeline[key], rows, "photos");
  }
  rows.push_back({"trained", plain(part("training"))});
  put(in_columns(rows));
}

void show_weights(const fs::path& path, const Weights& weights, const Contents& c) {
  std::vector<std::vector<std::string>> rows;
  rows.push_back({"file", fmt::format("{} ({})", safe(path.string()), human_bytes(c.bytes))});
  rows.push_back({"format", "weights without a kindling model"});
  rows.push_back({"weights", in_words(c)});
  for (const auto& [key, value] : weights.metadata()) rows.push_back({safe(key), safe(value)});
  put(in_columns(rows));
}

int info(const InfoOptions& o) {
  const fs::path path = model_path(o.model);
  const Weights weights = Weights::open(path);
  const bool is_model = weights.metadata().count(manifest_key) != 0;
  const Json manifest = is_model ? read_manifest(path) : Json();
  const Contents c = contents_of(path, weights, is_model ? "model." : "");
  if (!o.common.json) {
    if (is_model)
      show_model(path, manifest, c);
    else
      show_weights(path, weights, c);
    return 0;
  }
  Json json = {{"file", path.string()}, {"kind", is_model ? "model" : "weights"},
               {"bytes", c.bytes},      {"tensors", c.tensors},
               {"numbers", c.numbers},  {"dtypes", c.dtypes}};
  if (is_model)
    json["manifest"] = manifest;
  else
    json["metadata"] = weights.metadata();
  put_json(json);
  return 0;
}

}  // namespace

Command add_info(CLI::App& program) {
  auto o = std::make_shared<InfoOptions>();
  CLI::App* app = program.add_subcommand("info", "Say what is in a model or weights file");
  app->add_option("MODEL", o->model, "model file, the folder of a run, or a .safetensors or .pth of weights")
      ->required();
  add_common_options(*app, o->common);
  app->footer(R"(Examples:
  kindling info runs/pets-1
  kindling info resnet18-f37072fd.pth --json)");
  return {app, [o] { return info(*o); }};
}

}  // namespace kindling::cli
