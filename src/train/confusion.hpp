#pragma once
/// How often each class was predicted for each, and the decisions over several labels.

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include <torch/types.h>

namespace kindling::detail {

class Confusion {
 public:
  /// Integer (or boolean) classes of as many values.
  void add(const torch::Tensor& pred, const torch::Tensor& targ);
  double total() const { return total_; }
  double count(std::int64_t targ, std::int64_t pred) const;
  double predicted(std::int64_t label) const { return of(predicted_, label); }
  double targets(std::int64_t label) const { return of(targets_, label); }
  /// All that were predicted or targets, in order.
  std::vector<std::int64_t> labels() const;

 private:
  static double of(const std::map<std::int64_t, double>& counts, std::int64_t label) {
    const auto found = counts.find(label);
    return found == counts.end() ? 0 : found->second;
  }
  void add(std::int64_t targ, std::int64_t pred, double n);
  std::map<std::pair<std::int64_t, std::int64_t>, double> pairs_;  // {target, prediction}
  std::map<std::int64_t, double> predicted_, targets_;
  double total_ = 0;
};

/// N x L outputs and targets as booleans, of the chosen columns alone (all where `labels` is empty). Throws `bad_data`
/// where they are not of one shape, `usage` for a column that is not there.
std::pair<torch::Tensor, torch::Tensor> decisions(const torch::Tensor& pred, const torch::Tensor& targ,
                                                  double thresh, bool sigmoid,
                                                  const std::vector<std::int64_t>& labels);

}  // namespace kindling::detail
