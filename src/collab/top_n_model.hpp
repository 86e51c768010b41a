#pragma once
/// What the methods of `top_n_learner` have in common.

#include <kindling/collab/top_n.hpp>
#include <kindling/nn/weights.hpp>

namespace kindling::detail {

class TopNModel {
 public:
  virtual ~TopNModel() = default;
  /// "EASE", for tables.
  virtual std::string name() const = 0;
  /// Of users by the items that each had: users x items, float32.
  virtual torch::Tensor scores(const CompressedRows& users) const = 0;
  /// How near each item is to one.
  virtual torch::Tensor similar(std::int64_t item) const = 0;
  /// Settings and tensors for a file, and back.
  virtual Json spec() const = 0;
  virtual Weights::Named tensors() const = 0;
};

std::shared_ptr<const TopNModel> fit_ease(const Interactions& train, const TopNOptions& options);
std::shared_ptr<const TopNModel> fit_ials(const Interactions& train, const TopNOptions& options);
/// Throw `bad_model` or Json's errors for what does not fit.
std::shared_ptr<const TopNModel> read_ease(const Json& spec, const Weights& weights, const Interactions& known);
std::shared_ptr<const TopNModel> read_ials(const Json& spec, const Weights& weights, const Interactions& known);

/// A model's tensor with these sizes, float32 and finite, as a copy. A size of -1 is any.
torch::Tensor checked_tensor(const Weights& weights, const std::string& name, const std::vector<std::int64_t>& sizes);
/// A setting that must be above 0 and finite. Throws `usage` naming it.
void require_positive(const char* setting, double value);

}  // namespace kindling::detail
