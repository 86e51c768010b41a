#include <kindling/core/error.hpp>
#include <kindling/core/random.hpp>
#include <kindling/tabular/folds.hpp>
#include <kindling/tabular/learner.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <torch/types.h>

namespace kindling {

namespace {

/// Models side by side; their parameters are called `0.…`, `1.…`.
struct AverageModule : torch::nn::Module {
  explicit AverageModule(const std::vector<Model>& models) {
    for (std::size_t i = 0; i < models.size(); ++i)
      register_module(std::to_string(i), models[i].module().shared_from_this());
  }
};

Model average_from_json(const Json& spec) {
  std::vector<Model> models;
  for (const Json& member : spec.at("members")) models.push_back(model_from_spec(member));
  return average_model(std::move(models), spec.at("classes").get<bool>());
}

}  // namespace

Model average_model(std::vector<Model> models, bool classes) {
  if (models.empty()) throw Error(ErrorCode::usage, "there are no models to average");
  auto module = std::make_shared<AverageModule>(models);
  Json members = Json::array();
  for (const Model& m : models) members.push_back(m.spec);
  Model model(module, [models = std::move(models), classes](const Model::Inputs& x) {
    std::vector<torch::Tensor> said;
    for (const Model& m : models) said.push_back(classes ? torch::log_softmax(m.forward(x), -1) : m.forward(x));
    const auto all = torch::stack(said);
    return classes ? torch::logsumexp(all, 0) - std::log(static_cast<double>(said.size())) : all.mean(0);
  });
  model.spec = {{"kind", "average"}, {"classes", classes}, {"members", std::move(members)}};
  return model;
}

std::vector<Splits> fold_splits(std::int64_t n, int k, std::uint64_t seed, const torch::Tensor& classes) {
  if (k < 2 || k > n) {
    throw Error(ErrorCode::usage, "rows are cut into at least two folds, and at most as many as there are rows",
                {{"folds", k}, {"rows", n}});
  }
  std::vector<std::int64_t> order = torch_randperm(n, seed);
  if (classes.defined()) {
    const auto y = classes.to(torch::kInt64).contiguous();
    const auto* of = y.const_data_ptr<std::int64_t>();
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return of[a] < of[b]; });
  }
  // Dealt out one after the other, so that neighbours, rows of one class, go to different folds.
  std::vector<Splits> splits(static_cast<std::size_t>(k));
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t f = 0; f < splits.size(); ++f)
      (i % splits.size() == f ? splits[f].valid : splits[f].train).push_back(order[i]);
  }
  return splits;
}

Folds train_folds(const TabularData& data, const std::function<Learner(DataLoaders)>& make,
                  const std::function<void(Learner&)>& fit, const FoldsOptions& o) {
  const bool classes = data.encoder().target() == TargetKind::category;
  std::vector<Model> models;
  std::vector<std::vector<double>> values;
  torch::Tensor out;
  for (const Splits& split : fold_splits(data.size(), o.k, o.seed, classes ? data.ys() : torch::Tensor())) {
    Learner learn = make(data.dataloaders(split, o.loaders));
    fit(learn);
    values.push_back(learn.validate());
    const auto said = learn.get_preds().preds;
    if (!out.defined()) {
      auto sizes = said.sizes().vec();
      sizes[0] = data.size();
      out = torch::full(sizes, std::nan(""));
    }
    out.index_copy_(0, torch::tensor(at::IntArrayRef(split.valid)), said);
    learn.model.module().eval();
    models.push_back(learn.model);
    if (learn.interrupted) break;
  }
  LoaderOptions whole = o.loaders;
  Learner learn(data.dataloaders(whole), average_model(std::move(models), classes),
                {.loss_func = classes ? CrossEntropyLossFlat() : MSELossFlat(), .listener = o.listener});
  return {std::move(learn), out, data.ys(), std::move(values)};
}

namespace detail {

void register_average() {
  register_model_kind("average", average_from_json);
}

}  // namespace detail

}  // namespace kindling
