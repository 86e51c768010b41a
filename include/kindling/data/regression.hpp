#pragma once
/// Numbers as targets.

#include <kindling/data/transform.hpp>

namespace kindling {

/// One number or several to floats (fastai `RegressionSetup`): Number stays, Numbers become a float32 tensor; text that
/// is a number is one. How many there are is given or learnt from the training items. Throws `bad_data` for text that is no
/// number, a missing one, or another count than the training items have.
class RegressionSetup {
 public:
  static constexpr const char* name = "RegressionSetup";
  static constexpr int order = 0;
  explicit RegressionSetup(int n_out = 0) : n_out_(n_out) {}

  void setup(const std::vector<Value>& train_items);
  Number encodes(const Number& number) const;
  Number encodes(const Category& text) const;
  Number encodes(std::monostate missing) const;
  torch::Tensor encodes(const Numbers& numbers) const;
  torch::Tensor encodes(const Categories& texts) const;
  Numbers decodes(const torch::Tensor& numbers) const;
  int c() const { return n_out_; }
  Json to_json() const { return {{"n_out", n_out_}}; }
  static RegressionSetup from_json(const Json& json) { return RegressionSetup(json.at("n_out").get<int>()); }

 private:
  int n_out_;
};

}  // namespace kindling
