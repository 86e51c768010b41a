#include <kindling/core/error.hpp>
#include <kindling/nn/seal.hpp>
#include <kindling/train/export.hpp>

#include "collab/top_n_model.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling {

namespace {


/// The values that someone new is given for an item: what is usual.
float usual_value(const CompressedRows& rows) {
  const double sum = std::accumulate(rows.values.begin(), rows.values.end(), 0.0);
  return rows.values.empty() ? 1 : static_cast<float>(sum / static_cast<double>(rows.values.size()));
}

template <class T>
std::vector<T> vector_of(const Weights& weights, const std::string& name, torch::ScalarType dtype) {
  const torch::Tensor tensor = weights.at(name).contiguous();
  if (tensor.scalar_type() != dtype || tensor.dim() != 1)
    throw Error(ErrorCode::bad_model, "a tensor of the model has another type or shape", {{"tensor", name}});
  return {tensor.const_data_ptr<T>(), tensor.const_data_ptr<T>() + tensor.numel()};
}

Interactions read_known(const Json& manifest, const Weights& weights) {
  CategoryMap users = CategoryMap::from_json(manifest.at("users"));
  CategoryMap items = CategoryMap::from_json(manifest.at("items"));
  CompressedRows rows{.n_columns = items.size(),
                      .indptr = vector_of<std::int64_t>(weights, "known.indptr", torch::kInt64),
                      .indices = vector_of<std::int32_t>(weights, "known.indices", torch::kInt32),
                      .values = vector_of<float>(weights, "known.values", torch::kFloat32)};
  return {std::move(users), std::move(items), std::move(rows)};
}

TopN read_top_n(const Json& manifest, const Weights& weights) {
  const Json& spec = manifest.at("model");
  if (const std::string kind = spec.value("kind", ""); kind != "top_n") {
    throw Error(ErrorCode::bad_model, "this file holds a model of another kind", {{"kind", kind}},
                "load it with load_learner or Predictor");
  }
  Interactions known = read_known(manifest, weights);
  const auto method = spec.at("method").get<std::string>();
  if (method == "ease") return {known, detail::read_ease(spec, weights, known)};
  if (method == "ials") return {known, detail::read_ials(spec, weights, known)};
  throw Error(ErrorCode::bad_model, "the model ranks by a method that is not known", {{"method", method}},
              "use a newer kindling");
}

}  // namespace

namespace detail {

torch::Tensor checked_tensor(const Weights& weights, const std::string& name, const std::vector<std::int64_t>& sizes) {
  const torch::Tensor& tensor = weights.at(name);
  bool fits = tensor.scalar_type() == torch::kFloat32 && tensor.dim() == static_cast<std::int64_t>(sizes.size());
  for (std::size_t d = 0; fits && d < sizes.size(); ++d)
    fits = sizes[d] < 0 ? tensor.sizes()[d] > 0 : tensor.sizes()[d] == sizes[d];
  if (!fits || !tensor.isfinite().all().item<bool>()) {
    throw Error(ErrorCode::bad_model, "a tensor of the model has another type or shape, or is not finite",
                {{"tensor", name},
                 {"expected", fmt::format("[{}]", fmt::join(sizes, ", "))},
                 {"got", fmt::format("[{}]", fmt::join(tensor.sizes(), ", "))}});
  }
  return tensor.clone();
}

void require_positive(const char* setting, double value) {
  if (std::isfinite(value) && value > 0) return;
  throw Error(ErrorCode::usage, fmt::format("{} must be above 0", setting), {{"got", fmt::format("{}", value)}});
}

}  // namespace detail

TopN::TopN(Interactions known, std::shared_ptr<const detail::TopNModel> model)
    : known_(std::move(known)), model_(std::move(model)) {}

std::vector<ScoredItem> TopN::best(const torch::Tensor& scores, std::span<const std::int32_t> known, int n) const {
  std::vector<ScoredItem> out;
  for (const std::int64_t item : top_items(scores, known, n))
    out.push_back({known_.items().items()[static_cast<std::size_t>(item)], scores[item].item<double>()});
  return out;
}

std::vector<ScoredItem> TopN::recommend(const std::string& user, int n) const {
  const std::int64_t u = known_.user(user);
  const auto had = known_.rows().columns(u);
  if (had.empty()) {
    throw Error(ErrorCode::usage, "nothing is known of this user but the name", {{"user", user}},
                "call recommend_from with items that the user likes");
  }
  return best(model_->scores(known_.rows().take({u}))[0], had, n);
}

std::vector<ScoredItem> TopN::recommend_from(const std::vector<std::string>& items, int n) const {
  if (items.empty())
    throw Error(ErrorCode::usage, "one item at least is needed to recommend others", {}, "or use popularity()");
  CompressedRows had{.n_columns = known_.n_items()};
  for (const std::string& item : items) had.indices.push_back(static_cast<std::int32_t>(known_.item(item)));
  std::sort(had.indices.begin(), had.indices.end());
  had.indices.erase(std::unique(had.indices.begin(), had.indices.end()), had.indices.end());
  had.values.assign(had.indices.size(), usual_value(known_.rows()));
  had.indptr.push_back(had.size());
  return best(model_->scores(had)[0], had.columns(0), n);
}

std::vector<ScoredItem> TopN::similar(const std::string& item, int n) const {
  const std::int32_t self[] = {static_cast<std::int32_t>(known_.item(item))};
  return best(model_->similar(self[0]), self, n);
}

Ranker TopN::ranker() const {
  return {model_->name(), [top = *this](const std::vector<std::int64_t>& users) {
            return top.model_->scores(top.known_.rows().take(users));
          }};
}

Json TopN::spec() const {
  return model_->spec();
}

void TopN::save(const fs::path& path) const {
  const CompressedRows& rows = known_.rows();
  Weights::Named tensors = model_->tensors();
  tensors.emplace_back("known.indptr", torch::tensor(at::ArrayRef<std::int64_t>(rows.indptr), torch::kInt64));
  tensors.emplace_back("known.indices", torch::tensor(at::ArrayRef<std::int32_t>(rows.indices), torch::kInt32));
  tensors.emplace_back("known.values", torch::tensor(at::ArrayRef<float>(rows.values), torch::kFloat32));
  const Json manifest = {{"format", "kindling.model"},
                         {"format_version", 1},
                         {"kindling", KINDLING_VERSION},
                         {"model", spec()},
                         {"users", known_.users().to_json()},
                         {"items", known_.items().to_json()}};
  save_safetensors(path, tensors, {{"format", "pt"}, {manifest_key, manifest.dump()}}, {.sealed = true});
}

TopN TopN::load(const fs::path& path) {
  const Json manifest = read_manifest(path);
  try {
    return read_top_n(manifest, Weights::open(path));
  } catch (const Json::exception& e) {
    throw Error(ErrorCode::bad_model, "the model's manifest is not complete", {{"path", path}, {"detail", e.what()}});
  } catch (const Error& e) {
    throw Error(ErrorCode::bad_model, e.message(), e.facts(), e.hint()).with({"path", path});
  }
}

TopN top_n_learner(const Interactions& train, const TopNOptions& options) {
  if (train.size() == 0)
    throw Error(ErrorCode::bad_data, "there are no interactions to learn from", {{"train", train.summary()}});
  if (options.method == "ease") return {train, detail::fit_ease(train, options)};
  if (options.method == "ials") return {train, detail::fit_ials(train, options)};
  const std::string near = did_you_mean(options.method, {"ease", "ials"});
  throw Error(ErrorCode::usage, fmt::format("there is no method '{}'{}", options.method, near), {},
              "use \"ease\" or \"ials\"");
}

}  // namespace kindling
