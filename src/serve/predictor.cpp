#include <kindling/serve/predictor.hpp>
#include <kindling/vision/learner.hpp>

#include <c10/core/InferenceMode.h>
#include <torch/types.h>

namespace kindling {

struct Predictor::State {
  ExportedModel exported;
  Model::Forward forward;
};

namespace {

/// Batches of this many items at most, whatever the caller gives: the bound on memory.
constexpr std::size_t max_batch = 32;

}  // namespace

Predictor::Predictor(const fs::path& model) {
  detail::register_vision();
  ExportedModel exported = read_exported(model);
  Model::Forward forward;
  if (exported.model.optimize_for_inference)
    forward = exported.model.optimize_for_inference();
  else
    forward = [m = exported.model](const Model::Inputs& x) { return m.forward(x); };
  state_ = std::make_shared<const State>(State{std::move(exported), std::move(forward)});
}

Prediction Predictor::predict_value(Value item) const {
  return predict_batch({std::move(item)}).front();
}

std::vector<Prediction> Predictor::predict_batch(const Items& items) const {
  c10::InferenceMode inference;
  const ExportedModel& m = state_->exported;
  std::vector<Prediction> predictions;
  for (std::size_t begin = 0; begin < items.size(); begin += max_batch) {
    std::vector<Values> encoded;
    for (std::size_t i = begin; i < std::min(items.size(), begin + max_batch); ++i) {
      encoded.push_back(
          m.pipeline.encode_item({items[i]}, {.split = Split::valid, .item = static_cast<std::int64_t>(i)}));
    }
    const Values batch = m.pipeline.encode_batch(collate(encoded), {.split = Split::valid}, torch::kCPU);
    const auto outputs = m.loss_func.activation(state_->forward(to_batch(batch, m.pipeline.n_inp).x));
    for (std::int64_t i = 0; i < outputs.size(0); ++i) {
      predictions.push_back(to_prediction(m.pipeline, m.loss_func, outputs[i]));
    }
  }
  return predictions;
}

std::vector<std::string> Predictor::vocab() const {
  return state_->exported.pipeline.vocab();
}
const Json& Predictor::manifest() const {
  return state_->exported.manifest;
}

}  // namespace kindling
