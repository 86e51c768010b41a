#include <kindling/core/error.hpp>
#include <kindling/serve/predictor.hpp>
#include <kindling/vision/learner.hpp>

#include "nn/parallel_for.hpp"

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
/// Of rows, which are encoded together, and whose batches stay in the cache.
constexpr std::size_t max_rows = 1 << 17;
constexpr std::int64_t row_batch = 1024;

Values members_of(const Pipeline& pipeline, const Items& items) {
  if (pipeline.encoder) return pipeline.encoder->encode(items, /*with_targets=*/false);
  std::vector<Values> encoded;
  for (std::size_t i = 0; i < items.size(); ++i)
    encoded.push_back(pipeline.encode_item({items[i]}, {.split = Split::valid, .item = static_cast<std::int64_t>(i)}));
  return collate(encoded);
}

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
  const ExportedModel& m = state_->exported;
  Items opened;
  for (const Value& item : items) opened.push_back(opened_for_prediction(m.pipeline, item));
  const auto outputs = this->outputs(opened);
  std::vector<Prediction> predictions;
  for (std::size_t i = 0; i < items.size(); ++i)
    predictions.push_back(to_prediction(m.pipeline, m.loss_func, outputs[static_cast<std::int64_t>(i)], opened[i]));
  return predictions;
}

/// The model's answers to a lot, in batches: several of them side by side where there are several.
std::vector<torch::Tensor> Predictor::forward(const std::vector<torch::Tensor>& x) const {
  const std::int64_t n = x.front().size(0);
  std::vector<torch::Tensor> outputs(static_cast<std::size_t>((n + row_batch - 1) / row_batch));
  detail::parallel_for(0, static_cast<std::int64_t>(outputs.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    c10::InferenceMode inference;
    for (std::int64_t b = begin; b < end; ++b) {
      Model::Inputs some;
      for (const auto& member : x) some.push_back(member.slice(0, b * row_batch, std::min(n, (b + 1) * row_batch)));
      outputs[static_cast<std::size_t>(b)] = state_->exported.loss_func.activation(state_->forward(some));
    }
  });
  return outputs;
}

torch::Tensor Predictor::outputs(const Items& items) const {
  c10::InferenceMode inference;
  const ExportedModel& m = state_->exported;
  const std::size_t most = m.pipeline.encoder ? max_rows : max_batch;
  std::vector<torch::Tensor> outputs;
  for (std::size_t begin = 0; begin < items.size(); begin += most) {
    const auto end = std::min(items.size(), begin + most);
    const Items lot(items.begin() + static_cast<std::ptrdiff_t>(begin), items.begin() + static_cast<std::ptrdiff_t>(end));
    const Values batch = m.pipeline.encode_batch(members_of(m.pipeline, lot), {.split = Split::valid}, torch::kCPU);
    for (auto& output : forward(to_batch(batch, m.pipeline.n_inp).x)) outputs.push_back(std::move(output));
  }
  if (outputs.empty()) throw Error(ErrorCode::usage, "there are no items to predict");
  return torch::cat(outputs);
}

std::vector<std::string> Predictor::vocab() const {
  return state_->exported.pipeline.vocab();
}
const Json& Predictor::manifest() const {
  return state_->exported.manifest;
}

const Pipeline& Predictor::pipeline() const {
  return state_->exported.pipeline;
}

}  // namespace kindling
