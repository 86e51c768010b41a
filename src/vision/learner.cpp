#include <kindling/core/error.hpp>
#include <kindling/data/normalize.hpp>
#include <kindling/nn/inference.hpp>
#include <kindling/nn/registry.hpp>
#include <kindling/vision/learner.hpp>
#include <kindling/vision/mask_block.hpp>
#include <kindling/vision/resize.hpp>

#include "vision/register_augmentation.hpp"
#include "train/learner_options.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>

namespace kindling {

namespace {

/// Body and head as one module; their parameters are called `body.…` and `head.…`.
struct VisionModel : torch::nn::Module {
  VisionModel(std::shared_ptr<Backbone> b, torch::nn::Sequential h)
      : body(register_module("body", std::move(b))), head(register_module("head", std::move(h))) {}
  torch::Tensor forward(const torch::Tensor& x) { return head->forward(body->forward_features(x)); }
  /// Layers of the head from `first` on, before `last`.
  torch::Tensor head_layers(torch::Tensor x, std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i) x = (head->begin() + static_cast<std::ptrdiff_t>(i))->forward(x);
    return x;
  }
  std::shared_ptr<Backbone> body;
  torch::nn::Sequential head;
};

Json head_to_json(const HeadOptions& h) {
  Json json = {{"lin_ftrs", h.lin_ftrs},  {"ps", h.ps},
               {"pool", h.pool},          {"concat_pool", h.concat_pool},
               {"first_bn", h.first_bn},  {"bn_final", h.bn_final},
               {"lin_first", h.lin_first}};
  if (h.y_range) json["y_range"] = {h.y_range->first, h.y_range->second};
  return json;
}

HeadOptions head_from_json(const Json& json) {
  HeadOptions h{.lin_ftrs = json.at("lin_ftrs").get<std::vector<int>>(),
                .ps = json.at("ps").get<double>(),
                .pool = json.at("pool").get<bool>(),
                .concat_pool = json.at("concat_pool").get<bool>(),
                .first_bn = json.at("first_bn").get<bool>(),
                .bn_final = json.at("bn_final").get<bool>(),
                .lin_first = json.at("lin_first").get<bool>()};
  if (json.contains("y_range"))
    h.y_range = {{json["y_range"].at(0).get<double>(), json["y_range"].at(1).get<double>()}};
  return h;
}

Model model_from_json(const Json& spec) {
  return create_vision_model(spec.at("arch").get<std::string>(), spec.at("n_out").get<int>(),
                             spec.at("n_in").get<int>(), head_from_json(spec.at("head")));
}

/// Weights of the body; its first convolution is adapted to the number of channels.
void load_body(Backbone& body, const PretrainedEntry& entry, int n_in, std::shared_ptr<Listener> listener) {
  Weights weights = pretrained_weights(entry.name, std::move(listener));
  if (n_in != 3) {
    const std::string first = state_dict(body).front().first;
    Weights::Named tensors = weights.tensors();
    for (auto& [name, tensor] : tensors) {
      if (name == first) tensor = adapt_first_conv(tensor, n_in);
    }
    weights = Weights(std::move(tensors), weights.metadata());
  }
  const LoadReport report = load_state_dict(body, weights, {.strict = false});
  if (!report.missing.empty() || !report.misshapen.empty()) {
    throw Error(ErrorCode::bad_weights, "these weights do not fit the architecture: " + report.to_string(),
                {{"weights", entry.name}, {"expected", entry.arch}},
                "choose weights that were made for this architecture");
  }
}

void check_labels(const DataLoaders& dls) {
  if (dls.pipeline().target != TargetKind::category || dls.c() > 1) return;
  throw Error(ErrorCode::bad_data, "there is only one class, so there is nothing to tell apart",
              {{"class", dls.vocab().empty() ? "none" : dls.vocab().front()}},
              "give photos of at least two classes, or another label function");
}

bool has_normalize(const Pipeline& pipeline) {
  return std::any_of(pipeline.batch_tfms.begin(), pipeline.batch_tfms.end(),
                     [](const Transform& t) { return t.get<Normalize>() != nullptr; });
}

}  // namespace

Model create_vision_model(const std::string& arch, int n_out, int n_in, const HeadOptions& head) {
  auto body = create_model(arch, {.num_classes = 0, .in_channels = n_in});
  auto module = std::make_shared<VisionModel>(body, create_head(body->num_features(), n_out, head));
  Model model(module);
  for (auto& group : body->groups()) model.groups.push_back(std::move(group));
  model.groups.push_back({module->head.ptr()});
  model.spec = {
      {"kind", "vision"}, {"arch", arch}, {"n_out", n_out}, {"n_in", n_in}, {"head", head_to_json(head)}};
  if (head.pool) {
    // Pooling and flattening, the head's first two layers, learn nothing and leave little to keep.
    constexpr std::size_t pooling = 2;
    model.features = [module](const Model::Inputs& x) {
      return module->head_layers(module->body->forward_features(x.at(0)), 0, pooling);
    };
    model.head = [module](const Model::Inputs& x) {
      return module->head_layers(x.at(0), pooling, module->head->size());
    };
  }
  model.optimize_for_inference = [module]() -> Model::Forward {
    auto net = optimize_for_inference(module->body, module->head);
    return [net](const Model::Inputs& x) { return net->forward(x.at(0)); };
  };
  return model;
}

Learner vision_learner(DataLoaders dls, const std::string& arch, VisionLearnerOptions o) {
  detail::register_vision();
  check_labels(dls);
  const ModelInfo& info = model_info(arch);
  const int n_out = o.n_out > 0 ? o.n_out : dls.c();
  if (n_out < 1) {
    throw Error(ErrorCode::usage, "the number of outputs cannot be told from the data", {}, "say .n_out = …");
  }
  // Points lie in [-1, 1], and a model that can say nothing else learns faster.
  if (dls.pipeline().target == TargetKind::points && !o.head.y_range) o.head.y_range = {{-1, 1}};
  if (!o.listener) o.listener = terminal_listener();
  Model model = create_vision_model(arch, n_out, o.n_in, o.head);
  Json provenance = {{"arch", arch}, {"pretrained", false}};
  if (o.pretrained) {
    if (info.weights.empty() && o.weights.empty()) {
      throw Error(ErrorCode::usage, "this architecture has no pretrained weights", {{"arch", arch}},
                  "say .pretrained = false, or name weights with .weights");
    }
    const PretrainedEntry& entry = find_pretrained(o.weights.empty() ? info.weights : o.weights);
    load_body(*dynamic_cast<VisionModel&>(model.module()).body, entry, o.n_in, o.listener);
    if (o.normalize && static_cast<int>(entry.mean.size()) == o.n_in && !has_normalize(dls.pipeline())) {
      dls.add_batch_tfms({Normalize({entry.mean, entry.std})});
    }
    provenance = {{"arch", arch},           {"pretrained", true},
                  {"weights", entry.name},  {"licence", entry.licence},
                  {"source", entry.source}, {"sha256", entry.sha256}};
  }
  Learner learn(std::move(dls), std::move(model), detail::learner_options(o));
  learn.provenance = std::move(provenance);
  if (o.pretrained) learn.freeze();
  return learn;
}

bool detail::register_vision() {
  static const bool once = [] {
    register_transform(OpenImage::name, [](const Json& j) { return Transform(OpenImage::from_json(j)); });
    register_transform(OpenMask::name, [](const Json& j) { return Transform(OpenMask::from_json(j)); });
    register_transform(Resize::name, [](const Json& j) { return Transform(Resize::from_json(j)); });
    register_augmentation();
    register_model_kind("vision", model_from_json);
    return true;
  }();
  return once;
}

}  // namespace kindling
