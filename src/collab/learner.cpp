#include <kindling/collab/learner.hpp>
#include <kindling/core/error.hpp>

#include "collab/all_ratings.hpp"
#include "train/learner_options.hpp"

#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

using YRange = std::optional<std::pair<double, double>>;

constexpr const char* dot_kind = "collab";
constexpr const char* nn_kind = "collab_nn";

Json range_to_json(const YRange& range) {
  return range ? Json::array({range->first, range->second}) : Json(nullptr);
}

YRange range_from_json(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return {{json.at(0).get<double>(), json.at(1).get<double>()}};
}

/// Ratings that are kept, in a spec; null: none are.
Json size_of(const std::shared_ptr<RatedItems>& rated) {
  return rated ? Json(rated->size()) : Json(nullptr);
}

std::shared_ptr<RatedItems> room_for_rated(const Json& spec, std::int64_t n_users) {
  const Json& size = spec.at("rated");
  return size.is_null() ? nullptr : std::make_shared<RatedItems>(n_users, size.get<std::int64_t>());
}

Model dot_from_json(const Json& spec) {
  const auto n_users = spec.at("n_users").get<std::int64_t>();
  return create_dot_bias(spec.at("n_factors").get<std::int64_t>(), n_users, spec.at("n_items").get<std::int64_t>(),
                         range_from_json(spec.at("y_range")), room_for_rated(spec, n_users));
}

Model nn_from_json(const Json& spec) {
  std::vector<EmbSize> sizes;
  for (const Json& size : spec.at("emb_szs"))
    sizes.emplace_back(size.at(0).get<std::int64_t>(), size.at(1).get<std::int64_t>());
  if (sizes.size() != 2)
    throw Error(ErrorCode::bad_model, "a model of ratings has two embeddings", {{"got", sizes.size()}});
  return create_embedding_nn(sizes, spec.at("layers").get<std::vector<int>>(),
                             tabular_config_from_json(spec.at("config")), room_for_rated(spec, sizes[0].first));
}

void check_range(const torch::Tensor& ratings, const std::string& column, const YRange& range) {
  if (!range) return;
  const auto outside = (ratings < range->first).logical_or(ratings > range->second);
  const auto n = outside.sum().item<std::int64_t>();
  if (n == 0) return;
  throw Error(ErrorCode::bad_data, "ratings lie outside of y_range, where the model can never come",
              {{"column", column},
               {"y_range", fmt::format("{:g} to {:g}", range->first, range->second)},
               {"ratings", n},
               {"lowest", fmt::format("{:g}", ratings.min().item<double>())},
               {"highest", fmt::format("{:g}", ratings.max().item<double>())}},
              "choose a y_range a little wider than the ratings, for example half a step at each end");
}

}  // namespace

Model create_dot_bias(std::int64_t n_factors, std::int64_t n_users, std::int64_t n_items, YRange y_range,
                      std::shared_ptr<RatedItems> rated) {
  auto module = std::make_shared<EmbeddingDotBias>(n_factors, n_users, n_items, y_range);
  if (rated) module->register_module("rated", rated);
  Model model(module, [module](const Model::Inputs& x) { return module->forward(x.at(0)); });
  model.spec = {{"kind", dot_kind},
                {"n_factors", n_factors},
                {"n_users", n_users},
                {"n_items", n_items},
                {"y_range", range_to_json(y_range)},
                {"rated", size_of(rated)}};
  return model;
}

Model create_embedding_nn(const std::vector<EmbSize>& emb_szs, const std::vector<int>& layers,
                          const TabularConfig& config, std::shared_ptr<RatedItems> rated) {
  auto module = std::make_shared<EmbeddingNN>(emb_szs, layers, config);
  if (rated) module->register_module("rated", rated);
  Model model(module, [module](const Model::Inputs& x) { return module->forward(x.at(0), x.at(1)); });
  Json sizes = Json::array();
  for (const auto& [n, size] : emb_szs) sizes.push_back({n, size});
  model.spec = {{"kind", nn_kind},
                {"emb_szs", sizes},
                {"layers", layers},
                {"config", to_json(config)},
                {"rated", size_of(rated)}};
  return model;
}

Learner collab_learner(DataLoaders dls, CollabLearnerOptions o) {
  detail::register_collab();
  const TabularEncoder& encoder = detail::ratings_encoder(dls.pipeline());
  const auto ratings = detail::all_ratings(dls);
  const YRange range = o.use_nn && o.config.y_range ? o.config.y_range : o.y_range;
  check_range(ratings.values, encoder.y_names().front(), range);
  const std::int64_t n_users = encoder.classes(encoder.cat_names()[0]).size();
  const std::int64_t n_items = encoder.classes(encoder.cat_names()[1]).size();
  std::shared_ptr<RatedItems> rated;
  if (o.keep_rated) rated = std::make_shared<RatedItems>(n_users, ratings.users, ratings.items);
  o.config.y_range = range;
  Model model = o.use_nn
                    ? create_embedding_nn(get_emb_sz(encoder, o.emb_szs), o.layers.value_or(std::vector{o.n_factors}),
                                          o.config, rated)
                    : create_dot_bias(o.n_factors, n_users, n_items, range, rated);
  Learner learn(std::move(dls), std::move(model), detail::learner_options(o));
  learn.provenance = {{"arch", o.use_nn ? "EmbeddingNN" : "EmbeddingDotBias"}, {"pretrained", false}};
  return learn;
}

bool detail::register_collab() {
  static const bool once = [] {
    register_tabular();
    register_model_kind(dot_kind, dot_from_json);
    register_model_kind(nn_kind, nn_from_json);
    return true;
  }();
  return once;
}

}  // namespace kindling
