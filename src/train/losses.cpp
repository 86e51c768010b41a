#include <kindling/train/losses.hpp>

#include "data/maker_registry.hpp"
#include "train/loss_parts.hpp"
#include "train/shape_text.hpp"

#include <fmt/format.h>

namespace kindling {

namespace detail {

namespace {

}  // namespace

torch::Tensor reduce(const torch::Tensor& losses, Reduction reduction) {
  return reduction == Reduction::mean ? losses.mean() : losses.sum();
}

torch::Tensor over_items(const torch::Tensor& losses) {
  return losses.dim() < 2 ? losses : losses.reshape({losses.size(0), -1}).mean(1);
}

torch::Tensor weights_beside(const torch::Tensor& pred, const std::vector<double>& weight) {
  if (weight.empty()) return {};
  return torch::tensor(weight, torch::kFloat64).to(pred.device(), pred.scalar_type());
}

Error shapes_differ(const torch::Tensor& pred, const torch::Tensor& targ) {
  return Error(ErrorCode::bad_data, "the model's outputs and the targets do not fit together",
               {{"outputs", detail::shape_text(pred.sizes())}, {"targets", detail::shape_text(targ.sizes())}},
               "give the model one output for each target value (n_out), or choose another loss_func");
}

void check_axis(const torch::Tensor& pred, int axis) {
  if (axis >= -pred.dim() && axis < pred.dim()) return;
  throw Error(ErrorCode::usage, "the loss function's axis is not one of the model's outputs",
              {{"axis", axis}, {"outputs", detail::shape_text(pred.sizes())}}, "the classes are at axis -1 or 1 as a rule");
}

LossFunction::Parts parts_of(std::string name, Unreduced unreduced, Reduction reduction) {
  using Targets = LossFunction::Targets;
  return {.name = std::move(name),
          .loss =
              [=](const torch::Tensor& pred, const Targets& targs) {
                return reduce(unreduced(pred, LossFunction::only(targs)), reduction);
              },
          .per_item =
              [=](const torch::Tensor& pred, const Targets& targs) {
                return over_items(unreduced(pred, LossFunction::only(targs)));
              }};
}

void note(Json& settings, Reduction reduction, Reduction usual) {
  if (reduction != usual) settings["reduction"] = reduction == Reduction::mean ? "mean" : "sum";
}

}  // namespace detail

namespace {

/// Settings as a file holds them. What is missing is at its default; unknown keys are ignored.
class Settings {
 public:
  explicit Settings(const Json& json) : json_(json) {}
  template <class T>
  T get(const char* key, T usual) const {
    return json_.contains(key) ? json_.at(key).get<T>() : usual;
  }
  Reduction reduction(Reduction usual) const {
    const auto name = get<std::string>("reduction", usual == Reduction::mean ? "mean" : "sum");
    if (name != "mean" && name != "sum")
      throw Error(ErrorCode::bad_model, "the loss function's reduction is not known", {{"reduction", name}});
    return name == "mean" ? Reduction::mean : Reduction::sum;
  }
  std::vector<double> weights(const char* key) const { return get<std::vector<double>>(key, {}); }

 private:
  const Json& json_;
};

LossFunction cross_entropy_from(const Settings& s) {
  return CrossEntropyLossFlat({.axis = s.get("axis", -1),
                               .weight = s.weights("weight"),
                               .ignore_index = s.get<std::int64_t>("ignore_index", -100),
                               .label_smoothing = s.get("label_smoothing", 0.0),
                               .reduction = s.reduction(Reduction::mean)});
}

FocalOptions focal_from(const Settings& s) {
  return {.gamma = s.get("gamma", 2.0),
          .axis = s.get("axis", -1),
          .weight = s.weights("weight"),
          .reduction = s.reduction(Reduction::mean)};
}

LabelSmoothingOptions smoothing_from(const Settings& s) {
  return {.eps = s.get("eps", 0.1),
          .axis = s.get("axis", -1),
          .weight = s.weights("weight"),
          .reduction = s.reduction(Reduction::mean)};
}

LossFunction bce_with_logits_from(const Settings& s) {
  return BCEWithLogitsLossFlat({.axis = s.get("axis", -1),
                                .thresh = s.get("thresh", 0.5),
                                .weight = s.weights("weight"),
                                .pos_weight = s.weights("pos_weight"),
                                .reduction = s.reduction(Reduction::mean)});
}

LossFunction dice_from(const Settings& s) {
  return DiceLoss({.axis = s.get("axis", 1),
                   .smooth = s.get("smooth", 1e-6),
                   .reduction = s.reduction(Reduction::sum),
                   .square_in_union = s.get("square_in_union", false)});
}

using Maker = LossFunction (*)(const Settings&);
const std::map<std::string, Maker>& makers() {
  static const std::map<std::string, Maker> all = {
      {"CrossEntropyLossFlat", cross_entropy_from},
      {"FocalLossFlat", [](const Settings& s) { return FocalLossFlat(focal_from(s)); }},
      {"FocalLoss", [](const Settings& s) { return FocalLoss(focal_from(s)); }},
      {"LabelSmoothingCrossEntropyFlat",
       [](const Settings& s) { return LabelSmoothingCrossEntropyFlat(smoothing_from(s)); }},
      {"LabelSmoothingCrossEntropy",
       [](const Settings& s) { return LabelSmoothingCrossEntropy(smoothing_from(s)); }},
      {"BCEWithLogitsLossFlat", bce_with_logits_from},
      {"BCELossFlat",
       [](const Settings& s) {
         return BCELossFlat({.axis = s.get("axis", -1),
                             .weight = s.weights("weight"),
                             .reduction = s.reduction(Reduction::mean)});
       }},
      {"MSELossFlat",
       [](const Settings& s) { return MSELossFlat({.reduction = s.reduction(Reduction::mean)}); }},
      {"L1LossFlat", [](const Settings& s) { return L1LossFlat({.reduction = s.reduction(Reduction::mean)}); }},
      {"DiceLoss", dice_from},
      {"CombinedLoss", [](const Settings& s) {
         return CombinedLoss({.axis = s.get("axis", 1), .smooth = s.get("smooth", 1.0), .alpha = s.get("alpha", 1.0)});
       }}};
  return all;
}

}  // namespace

const LossFunction::Targets& LossFunction::exactly(const Targets& targs, std::size_t n) {
  if (targs.size() == n) return targs;
  throw Error(ErrorCode::usage, "the loss function takes another number of targets than the data has",
              {{"takes", n}, {"targets", targs.size()}},
              "for several targets give a loss_func of the prediction and a std::vector of targets");
}

torch::Tensor LossFunction::per_item(const torch::Tensor& pred, const Targets& targs) const {
  if (!parts_.per_item) {
    throw Error(ErrorCode::usage, "this loss function knows no loss of a single item", {},
                "use one of the library's losses, e.g. CrossEntropyLossFlat()");
  }
  return parts_.per_item(pred, targs);
}

Json LossFunction::to_json() const {
  if (parts_.settings.empty()) return parts_.name;
  Json json = {{"name", parts_.name}};
  json.update(parts_.settings);
  return json;
}

void register_loss(const std::string& name, std::function<LossFunction(const Json&)> make) {
  detail::MakerRegistry<LossFunction>::instance().add(name, std::move(make));
}

LossFunction loss_from_name(const std::string& name) {
  return loss_from_json(name);
}

LossFunction loss_from_json(const Json& json) try {
  const Json object = json.is_string() ? Json{{"name", json}} : json;
  const std::string name = object.at("name").get<std::string>();
  if (name.empty()) return LossFunction();
  if (const auto found = makers().find(name); found != makers().end()) return found->second(Settings(object));
  if (const auto make = detail::MakerRegistry<LossFunction>::instance().find(name)) return make(object);
  throw Error(ErrorCode::bad_model, "the model names a loss function that is not known", {{"loss", name}},
              "the file may come from a newer kindling; a loss of your own needs register_loss before loading");
} catch (const Json::exception& e) {
  throw Error(ErrorCode::bad_model, "the loss function's settings cannot be read", {{"detail", e.what()}});
}

}  // namespace kindling
