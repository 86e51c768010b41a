#include <kindling/core/error.hpp>
#include <kindling/data/picture.hpp>
#include <kindling/tabular/learner.hpp>

#include "train/learner_options.hpp"

#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace detail {
void register_tabm();
void register_average();
}

namespace {

Json sizes_to_json(const std::vector<EmbSize>& sizes) {
  Json json = Json::array();
  for (const auto& [n, size] : sizes) json.push_back({n, size});
  return json;
}

Model model_from_json(const Json& spec) {
  std::vector<EmbSize> sizes;
  for (const Json& size : spec.at("emb_szs")) sizes.emplace_back(size.at(0).get<std::int64_t>(), size.at(1).get<std::int64_t>());
  return create_tabular_model(sizes, spec.at("n_cont").get<int>(), spec.at("out_sz").get<int>(),
                              spec.at("layers").get<std::vector<int>>(), tabular_config_from_json(spec.at("config")));
}

/// A target as `results_table` shows it.
std::string target_text(const std::vector<std::string>& vocab, const torch::Tensor& y) {
  if (!vocab.empty()) return vocab.at(static_cast<std::size_t>(y.item<std::int64_t>()));
  return fmt::format("{:.6g}", y.item<double>());
}

std::string cell_text(const Value& value) {
  if (const auto* category = std::get_if<Category>(&value)) return category->name;
  if (const auto* number = std::get_if<Number>(&value)) return fmt::format("{:.6g}", number->value);
  return "";
}

}  // namespace

Model create_tabular_model(const std::vector<EmbSize>& emb_szs, int n_cont, int out_sz, const std::vector<int>& layers,
                           const TabularConfig& config) {
  auto module = std::make_shared<TabularModel>(emb_szs, n_cont, out_sz, layers, config);
  Model model(module, [module](const Model::Inputs& x) { return module->forward(x.at(0), x.at(1)); });
  model.spec = {{"kind", "tabular"},  {"emb_szs", sizes_to_json(emb_szs)}, {"n_cont", n_cont},
                {"out_sz", out_sz},   {"layers", layers},                  {"config", to_json(config)}};
  return model;
}

std::vector<EmbSize> get_emb_sz(const TabularEncoder& encoder, const std::map<std::string, int>& sz_dict) {
  std::vector<EmbSize> sizes;
  for (const std::string& name : encoder.cat_names()) {
    const std::int64_t n = encoder.classes(name).size();
    const auto given = sz_dict.find(name);
    sizes.emplace_back(n, given == sz_dict.end() ? emb_sz_rule(n) : given->second);
  }
  return sizes;
}

Learner tabular_learner(DataLoaders dls, TabularLearnerOptions o) {
  detail::register_tabular();
  const TabularEncoder& encoder = tabular_encoder(dls.pipeline());
  if (encoder.target() == TargetKind::category && dls.c() < 2) {
    throw Error(ErrorCode::bad_data, "the target has only one value, so there is nothing to tell apart",
                {{"column", encoder.y_names().front()}, {"class", dls.vocab().empty() ? "none" : dls.vocab().front()}},
                "choose another target, or rows of at least two classes");
  }
  const int n_out = o.n_out > 0 ? o.n_out : dls.c();
  if (n_out < 1) {
    throw Error(ErrorCode::usage, "the number of outputs cannot be told from the data", {},
                "name the target in y_names, or say .n_out = …");
  }
  if (o.y_range) o.config.y_range = o.y_range;
  Model model = create_tabular_model(get_emb_sz(encoder, o.emb_szs), static_cast<int>(encoder.cont_names().size()),
                                     n_out, o.layers, o.config);
  Learner learn(std::move(dls), std::move(model), detail::learner_options(o));
  learn.provenance = {{"arch", "fastai"}, {"pretrained", false}};
  return learn;
}

std::vector<double> class_weights(const DataLoaders& dls) {
  const std::vector<std::string> vocab = dls.vocab();
  if (vocab.empty()) throw Error(ErrorCode::usage, "only classes have class weights; this target is numbers");
  const auto classes = static_cast<std::int64_t>(vocab.size());
  auto counts = torch::zeros({classes}, torch::kInt64);
  for (const Batch& batch : dls.train().with({.bs = 1 << 16, .num_workers = 0}))
    counts += torch::bincount(batch.y.front().flatten(), {}, classes);
  const auto weights = (static_cast<double>(dls.train().n()) / (classes * counts.to(torch::kFloat64))).contiguous();
  return {weights.const_data_ptr<double>(), weights.const_data_ptr<double>() + classes};
}

std::string results_table(Learner& learn, const ResultsTableOptions& options) {
  const TabularEncoder& encoder = tabular_encoder(learn.dls.pipeline());
  const DataLoader& dl = learn.dls[options.ds_idx];
  const std::int64_t n = std::min<std::int64_t>(options.max_n, dl.n());
  Items items;
  for (std::int64_t i = 0; i < n; ++i) items.push_back(dl.dataset().item(i));
  const DataLoader some = learn.dls.test_dl(items, /*with_labels=*/true);
  const auto preds = learn.get_preds({.dl = some, .with_decoded = true});
  const auto rows = learn.dls.pipeline().decode_batch(
      some.with({.bs = static_cast<int>(std::max<std::int64_t>(n, 1))}).one_batch_values());
  std::vector<std::string> names = encoder.names();
  for (const std::string& y : encoder.y_names()) names.push_back(y + "_pred");
  std::vector<std::vector<std::string>> cells;
  for (std::int64_t i = 0; i < n; ++i) {
    auto& line = cells.emplace_back();
    for (const Value& value : rows[static_cast<std::size_t>(i)]) line.push_back(cell_text(value));
    const auto said = preds.decoded[i].flatten();
    for (std::int64_t k = 0; k < said.numel(); ++k) line.push_back(target_text(learn.dls.vocab(), said[k]));
  }
  return format_table(names, cells);
}

bool detail::register_tabular() {
  static const bool once = [] {
    register_batch_encoder(TabularEncoder::encoder_name, [](const Json& json) -> std::shared_ptr<const BatchEncoder> {
      return TabularEncoder::from_json(json);
    });
    register_model_kind("tabular", model_from_json);
    register_tabm();
    register_average();
    return true;
  }();
  return once;
}

}  // namespace kindling
