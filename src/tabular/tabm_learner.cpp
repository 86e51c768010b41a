#include <kindling/core/error.hpp>
#include <kindling/nn/weights.hpp>
#include <kindling/tabular/tabm.hpp>

#include "core/free_memory.hpp"
#include "tabular/all_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <torch/nn/functional/loss.h>
#include <torch/types.h>

namespace kindling {

namespace F = torch::nn::functional;

namespace {

Model create_tabm(const std::vector<std::int64_t>& cards, int n_cont, int out_sz, bool classes, const TabMConfig& config) {
  auto module = std::make_shared<TabM>(cards, n_cont, out_sz, classes, config);
  Model model(module, [module](const Model::Inputs& x) { return module->forward(x.at(0), x.at(1)); });
  model.spec = {{"kind", "tabm"},   {"cards", cards},     {"n_cont", n_cont},
                {"out_sz", out_sz}, {"classes", classes}, {"config", to_json(config)}};
  return model;
}

/// Keeps the weights of the epoch with the lowest validation loss.
struct KeepBest {
  static constexpr int order = 60;  // after the recorder, 50
  double best = std::numeric_limits<double>::infinity();
  int epoch = 0;
  Weights::Named weights = {};
  void after_epoch(Learner& learn) {
    const auto& record = learn.recorder().epochs;
    if (record.empty() || !(record.back().valid_loss < best)) return;
    best = record.back().valid_loss;
    epoch = learn.epoch;
    weights.clear();
    for (const auto& [name, tensor] : state_dict(learn.model.module())) weights.emplace_back(name, tensor.clone());
  }
  void after_fit(Learner& learn) {
    if (!weights.empty()) load_state_dict(learn.model.module(), Weights(weights));
  }
  void save_state(CallbackState& state) const {
    state.values = {{"epoch", epoch}};
    if (!weights.empty()) state.values["best"] = best;
    state.tensors = weights;
  }
  void load_state(const CallbackState& state) {
    epoch = state.values.at("epoch").get<int>();
    weights = state.tensors;
    if (!weights.empty()) best = state.values.at("best").get<double>();
  }
};

/// The temperature with the lowest loss of these logits, by a search over 0.25 … 4.
double best_temperature(const torch::Tensor& logits, const torch::Tensor& y) {
  double best = 1, lowest = std::numeric_limits<double>::infinity();
  for (double power = -2; power <= 2; power += 0.05) {
    const double temperature = std::pow(2, power);
    const double loss = F::cross_entropy(logits / temperature, y).item<double>();
    if (loss >= lowest) continue;
    lowest = loss;
    best = temperature;
  }
  return best;
}

void calibrate(Learner& learn, TabM& net) {
  if (learn.dls.vocab().empty() || learn.dls.valid().n() == 0) return;
  torch::NoGradGuard no_grad;
  net.eval();
  net.set_temperature(1);
  const auto preds = learn.get_preds();
  net.set_temperature(best_temperature(preds.preds.clamp_min(1e-12).log(), preds.targs));
}

}  // namespace

LossFunction TabMLoss(double label_smoothing) {
  const auto loss = [label_smoothing](const torch::Tensor& pred, const LossFunction::Targets& targs) {
    const auto& y = LossFunction::only(targs);
    if (pred.dim() == 2) return F::cross_entropy(pred, y);
    return F::cross_entropy(pred.flatten(0, 1), y.repeat_interleave(pred.size(1)),
                            F::CrossEntropyFuncOptions().label_smoothing(label_smoothing));
  };
  return LossFunction(LossFunction::Parts{
      .name = "TabMLoss",
      .settings = {{"label_smoothing", label_smoothing}},
      .loss = loss,
      .per_item =
          [](const torch::Tensor& pred, const LossFunction::Targets& targs) {
            return F::cross_entropy(pred, LossFunction::only(targs), F::CrossEntropyFuncOptions().reduction(torch::kNone));
          },
      .activation = [](const torch::Tensor& pred) { return torch::softmax(pred, -1); },
      .decodes = [](const torch::Tensor& said) { return said.argmax(-1); },
      .y_int = true});
}

namespace {

/// Squared error of each member's numbers: the target once for each.
LossFunction tabm_number_loss() {
  return LossFunction(LossFunction::Parts{
      .name = "TabMNumberLoss",
      .loss =
          [](const torch::Tensor& pred, const LossFunction::Targets& targs) {
            auto y = LossFunction::only(targs);
            if (y.dim() == 1) y = y.unsqueeze(1);
            return (pred - (pred.dim() == 3 ? y.unsqueeze(1) : y)).square().mean();
          },
      .per_item =
          [](const torch::Tensor& pred, const LossFunction::Targets& targs) {
            return (pred - LossFunction::only(targs).view_as(pred)).square().flatten(1).mean(1);
          }});
}

void learn_from_rows(TabM& net, const DataLoaders& dls, const TabularEncoder& encoder) {
  const Batch rows = detail::all_rows(dls.train());
  if (!encoder.cont_names().empty()) net.set_edges(rows.x.at(1));
  if (encoder.target() != TargetKind::number) return;
  auto y = rows.y.front();
  if (y.dim() == 1) y = y.unsqueeze(1);
  const auto std = (y - y.mean(0)).square().mean(0).sqrt();
  net.set_target(y.mean(0), torch::where(std > 0, std, torch::ones_like(std)));
}

}  // namespace

Learner tabm_learner(DataLoaders dls, TabMOptions o) {
  detail::register_tabular();
  const TabularEncoder& encoder = tabular_encoder(dls.pipeline());
  const bool classes = encoder.target() == TargetKind::category;
  if (classes && dls.c() < 2) {
    throw Error(ErrorCode::bad_data, "the target has only one value, so there is nothing to tell apart",
                {{"column", encoder.y_names().front()}}, "choose another target, or rows of at least two classes");
  }
  if (dls.c() < 1) throw Error(ErrorCode::usage, "there is no target", {}, "name it in y_names");
  std::vector<std::int64_t> cards;
  for (const std::string& name : encoder.cat_names()) cards.push_back(encoder.classes(name).size());
  Model model = create_tabm(cards, static_cast<int>(encoder.cont_names().size()), dls.c(), classes, o.config);
  learn_from_rows(dynamic_cast<TabM&>(model.module()), dls, encoder);
  Learner learn(std::move(dls), std::move(model),
                {.opt_func = Adam({.sqr_mom = 0.999, .eps = 1e-8}),
                 .loss_func = classes ? TabMLoss(o.label_smoothing) : tabm_number_loss(),
                 .metrics = o.metrics,
                 .lr = o.lr,
                 .wd = o.wd,
                 .cbs = o.cbs,
                 .path = o.path,
                 .listener = o.listener});
  learn.provenance = {{"arch", "tabm"}, {"pretrained", false}};
  return learn;
}

int fit_tabm(Learner& learn, int epochs, std::optional<double> lr) {
  auto* net = dynamic_cast<TabM*>(&learn.model.module());
  if (!net) throw Error(ErrorCode::usage, "fit_tabm is for the learners of tabm_learner");
  detail::keep_freed_memory();
  learn.fit_one_cycle(epochs, lr ? std::optional<Hyper>(*lr) : std::nullopt,
                      {.pct_start = 0.15, .cbs = {KeepBest{}}});
  calibrate(learn, *net);
  const auto& epochs_done = learn.recorder().history;
  const auto best = std::min_element(epochs_done.begin(), epochs_done.end(),
                                     [](const auto& a, const auto& b) { return a.valid_loss < b.valid_loss; });
  return best == epochs_done.end() ? 0 : best->epoch;
}

namespace detail {

void register_tabm() {
  register_tabular_proc(RobustScale::name, [](const Json& json) { return TabularProc(RobustScale::from_json(json)); });
  register_model_kind("tabm", [](const Json& spec) {
    return create_tabm(spec.at("cards").get<std::vector<std::int64_t>>(), spec.at("n_cont").get<int>(),
                       spec.at("out_sz").get<int>(), spec.at("classes").get<bool>(),
                       tabm_config_from_json(spec.at("config")));
  });
  register_loss("TabMLoss", [](const Json& json) { return TabMLoss(json.value("label_smoothing", 0.0)); });
  register_loss("TabMNumberLoss", [](const Json&) { return tabm_number_loss(); });
}

}  // namespace detail

}  // namespace kindling
