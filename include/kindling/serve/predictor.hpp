#pragma once
/// An exported model, ready to answer: const, re-entrant, quiet.
///
///   Predictor predictor("pets.safetensors");
///   auto [label, index, probs] = predictor.predict("cat.jpg");

#include <kindling/train/export.hpp>

#include <memory>
#include <string>
#include <vector>

namespace kindling {

class Predictor {
 public:
  /// Loads the file and folds its batch norms. Throws as `read_exported`.
  explicit Predictor(const fs::path& model);

  /// One picture through the validation transforms. May be called from several threads at once.
  Prediction predict(const fs::path& path) const { return predict_value(path); }
  Prediction predict(const Bytes& encoded) const { return predict_value(encoded); }
  Prediction predict(const Image& image) const { return predict_value(image); }
  /// A row of a table, whose columns are found by name.
  Prediction predict(const Row& row) const { return predict_value(row); }
  /// Several as one batch, in order.
  std::vector<Prediction> predict_batch(const Items& items) const;
  /// What the model says of each item as numbers alone: N x C probabilities, or values.
  torch::Tensor outputs(const Items& items) const;

  std::vector<std::string> vocab() const;
  const Json& manifest() const;
  const Pipeline& pipeline() const;

 private:
  Prediction predict_value(Value item) const;
  std::vector<torch::Tensor> forward(const std::vector<torch::Tensor>& x) const;
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace kindling
