#include <kindling/tabular/tabm.hpp>

#include <cmath>

#include <torch/types.h>

namespace kindling {

namespace {

constexpr double bound = 3;

}  // namespace

void RobustScale::setup(TabularFrame& frame, const torch::Tensor& train) {
  for (const std::string& name : frame.cont_names) {
    const auto values = frame.cont(name).index_select(0, train).to(torch::kFloat64);
    const auto sorted = std::get<0>(values.masked_select(torch::isnan(values).logical_not()).sort());
    const std::int64_t n = sorted.numel();
    medians_[name] = 0;
    factors_[name] = 0;
    if (n == 0) continue;
    const auto* v = sorted.const_data_ptr<double>();
    const auto quantile = [&](double q) {
      const double at = q * static_cast<double>(n - 1);
      const auto below = static_cast<std::int64_t>(at);
      const auto above = std::min(below + 1, n - 1);
      return v[below] + (at - static_cast<double>(below)) * (v[above] - v[below]);
    };
    const double quartiles = quantile(0.75) - quantile(0.25), range = v[n - 1] - v[0];
    medians_[name] = quantile(0.5);
    if (quartiles > 0)
      factors_[name] = 1 / quartiles;
    else if (range > 0)
      factors_[name] = 2 / range;
  }
}

void RobustScale::encodes(TabularFrame& frame) const {
  for (const std::string& name : frame.cont_names) {
    const auto x = frame.cont(name).to(torch::kFloat64).sub(medians_.at(name)).mul_(factors_.at(name));
    frame.conts[name] = (x / (1 + (x / bound).square()).sqrt()).to(torch::kFloat32);
  }
}

void RobustScale::decodes(TabularFrame& frame) const {
  for (auto& [name, column] : frame.conts) {
    const auto y = column.to(torch::kFloat64);
    const auto x = y / (1 - (y / bound).square()).clamp_min(1e-12).sqrt();
    const double factor = factors_.at(name);
    column = factor > 0 ? x.div(factor).add_(medians_.at(name)) : torch::full_like(x, medians_.at(name));
  }
}

Json RobustScale::to_json() const {
  return {{"medians", Json(medians_)}, {"factors", Json(factors_)}};
}

RobustScale RobustScale::from_json(const Json& json) {
  RobustScale proc;
  proc.medians_ = json.at("medians").get<std::map<std::string, double>>();
  proc.factors_ = json.at("factors").get<std::map<std::string, double>>();
  return proc;
}

TabularProcs tabm_procs(const FillMissingOptions& fill) {
  return {Categorify(), FillMissing(fill), RobustScale()};
}

}  // namespace kindling
