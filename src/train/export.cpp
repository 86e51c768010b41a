#include <kindling/core/error.hpp>
#include <kindling/nn/seal.hpp>
#include <kindling/nn/weights.hpp>
#include <kindling/train/export.hpp>

#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

constexpr const char* model_format = "kindling.model";
constexpr int model_version = 1;
/// A photo larger than this is not kept in an export for `verify`.
constexpr std::uint64_t max_verify_bytes = 2 << 20;

torch::Tensor bytes_tensor(const Bytes& bytes) {
  auto tensor = torch::empty({static_cast<std::int64_t>(bytes.size())}, torch::kUInt8);
  std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
  return tensor;
}

/// The item's bytes, as the model will get them; empty for one that has none or too many.
Bytes bytes_of(const DataLoaders& dls, std::int64_t index) {
  const Dataset& valid = dls.valid().dataset();
  if (dls.pipeline().encoder) return dls.pipeline().encoder->to_bytes(valid.item(index));
  const Value item = valid.raw(index).front();
  auto* path = std::get_if<fs::path>(&item);
  std::error_code missing;
  if (!path || fs::file_size(*path, missing) > max_verify_bytes || missing) return {};
  return read_file(*path, max_verify_bytes);
}

/// The first validation items that have bytes, with what the model says of them.
void add_verify_items(Learner& learn, int wanted, Weights::Named& tensors) {
  int kept = 0;
  for (std::int64_t i = 0; i < learn.dls.valid().n() && kept < wanted; ++i) {
    const Bytes encoded = bytes_of(learn.dls, i);
    if (encoded.empty()) continue;
    const auto preds = learn.get_preds({.dl = learn.dls.test_dl(Items{encoded})});
    tensors.emplace_back(fmt::format("verify.{}.encoded", kept), bytes_tensor(encoded));
    tensors.emplace_back(fmt::format("verify.{}.output", kept), preds.preds[0].contiguous());
    ++kept;
  }
}

Json training_summary(const Learner& learn, const Json& extra) {
  const Recorder& record = learn.recorder();
  Json summary = {{"epochs", record.history.size()}};
  if (!record.history.empty()) {
    const EpochRecord& last = record.history.back();
    summary["train_loss"] = last.train_loss;
    summary["valid_loss"] = last.valid_loss;
    for (std::size_t m = 0; m < last.metrics.size(); ++m) summary[record.metric_names[m]] = last.metrics[m];
  }
  if (learn.dls.train().n() > 0) {
    summary["train_items"] = learn.dls.train().n();
    summary["valid_items"] = learn.dls.valid().n();
  }
  summary.update(extra);
  return summary;
}

Json manifest_of(const Weights& weights, const fs::path& path) {
  auto found = weights.metadata().find(manifest_key);
  if (found == weights.metadata().end()) {
    throw Error(ErrorCode::bad_model, "this file holds weights, but no kindling model", {{"path", path}},
                "give a file that `kindling train` or export_to wrote");
  }
  Json manifest = parse_json(found->second, "the manifest of " + path.string());
  if (!manifest.is_object() || manifest.value("format", "") != model_format) {
    throw Error(ErrorCode::bad_model, "the manifest is not one of a kindling model", {{"path", path}});
  }
  const int version = manifest.value("format_version", 0);
  if (version < 1 || version > model_version) {
    throw Error(ErrorCode::bad_model, "the model file has a format version that is not known",
                {{"path", path}, {"expected", model_version}, {"got", version}}, "use a newer kindling");
  }
  return manifest;
}

Error damaged_model(const Error& e, const fs::path& path) {
  return Error(ErrorCode::bad_model, "the model file is damaged: " + e.message(), e.facts(),
               "copy it again from where it was made, or export it again")
      .with({"path", path});
}

/// The seal is checked before anything in the file is believed. A file without a manifest may be plain
/// weights, which have no seal: the caller says so.
Weights open_model(const fs::path& path) {
  MappedFile file(path);
  auto read = [&] {
    return read_safetensors(file.bytes(), std::make_shared<MappedFile>(file), path.string());
  };
  std::optional<Error> broken;
  try {
    check_seal(file.bytes(), path.string());
  } catch (const Error& e) {
    broken = e;
  }
  try {
    Weights weights = read();
    if (broken && weights.metadata().count(manifest_key)) throw damaged_model(*broken, path);
    return weights;
  } catch (const Error& e) {
    if (e.code() == ErrorCode::bad_model) throw;
    throw damaged_model(broken.value_or(e), path);
  }
}

std::vector<ExportedModel::VerifyItem> verify_items_of(const Weights& weights) {
  std::vector<ExportedModel::VerifyItem> items;
  for (int i = 0; weights.contains(fmt::format("verify.{}.encoded", i)); ++i) {
    const auto encoded = weights.at(fmt::format("verify.{}.encoded", i)).contiguous();
    const auto* data = static_cast<const std::uint8_t*>(encoded.const_data_ptr());
    items.push_back(
        {Bytes(data, data + encoded.nbytes()), weights.at(fmt::format("verify.{}.output", i)).clone()});
  }
  return items;
}

Weights model_weights(const Weights& weights) {
  return weights.renamed([](const std::string& name) {
    constexpr std::string_view prefix = "model.";
    return name.starts_with(prefix) ? name.substr(prefix.size()) : std::string();
  });
}

}  // namespace

void Learner::export_to(const fs::path& path, const ExportOptions& options) {
  if (model.spec.is_null()) {
    throw Error(ErrorCode::usage, "this model cannot be exported, since nothing says how to build it again",
                {}, "set learn.model.spec = {{\"kind\", …}} and call register_model_kind for that kind");
  }
  model.module().eval();
  Weights::Named tensors;
  for (const auto& [name, tensor] : state_dict(model.module())) tensors.emplace_back("model." + name, tensor);
  add_verify_items(*this, options.verify_items, tensors);
  const Json manifest = {{"format", model_format},
                         {"format_version", model_version},
                         {"kindling", KINDLING_VERSION},
                         {"model", model.spec},
                         {"pipeline", dls.pipeline().to_json()},
                         {"loss", loss_func.to_json()},
                         {"vocab", dls.vocab()},
                         {"training", training_summary(*this, options.summary)},
                         {"weights", provenance}};
  save_safetensors(path, tensors, {{"format", "pt"}, {manifest_key, manifest.dump()}}, {.sealed = true});
}

Json read_manifest(const fs::path& path) {
  return manifest_of(open_model(path), path);
}

ExportedModel read_exported(const fs::path& path) {
  const Weights weights = open_model(path);
  ExportedModel exported{.manifest = manifest_of(weights, path)};
  try {
    if (!exported.manifest.contains("pipeline")) {
      throw Error(ErrorCode::unsupported, "this model has no pipeline: it does not predict from items",
                  {{"path", path}, {"kind", exported.manifest.at("model").value("kind", "")}},
                  "a ranking recommends: kindling recommend MODEL --user NAME, or TopN::load (kindling/collab/top_n.hpp)");
    }
    exported.pipeline = Pipeline::from_json(exported.manifest.at("pipeline"));
    exported.model = model_from_spec(exported.manifest.at("model"));
    exported.loss_func = loss_from_json(exported.manifest.at("loss"));
    load_state_dict(exported.model.module(), model_weights(weights));
    exported.verify_items = verify_items_of(weights);
  } catch (const Json::exception& e) {
    throw Error(ErrorCode::bad_model, "the model's manifest is not complete",
                {{"path", path}, {"detail", e.what()}});
  } catch (Error& e) {
    throw e.with({"path", path});
  }
  exported.model.module().eval();
  return exported;
}

Learner load_learner(const fs::path& path) {
  ExportedModel exported = read_exported(path);
  Learner learn(DataLoaders(std::move(exported.pipeline)), std::move(exported.model),
                {.loss_func = exported.loss_func, .path = path.parent_path()});
  learn.provenance = exported.manifest.value("weights", Json::object());
  return learn;
}

}  // namespace kindling
