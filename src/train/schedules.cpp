#include <kindling/core/error.hpp>
#include <kindling/train/schedules.hpp>

#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

namespace kindling {

Schedule sched_lin(double start, double end) {
  return [=](double pos) { return start + pos * (end - start); };
}

Schedule sched_cos(double start, double end) {
  return [=](double pos) { return start + (1 + std::cos(std::numbers::pi * (1 - pos))) * (end - start) / 2; };
}

Schedule sched_no(double start, double) {
  return [=](double) { return start; };
}

Schedule sched_exp(double start, double end) {
  return [=](double pos) { return start * std::pow(end / start, pos); };
}

Schedule sched_poly(double start, double end, double power) {
  return [=](double pos) { return start + (end - start) * std::pow(pos, power); };
}

Schedule combine_scheds(const std::vector<double>& pcts, const std::vector<Schedule>& scheds) {
  const double sum = std::accumulate(pcts.begin(), pcts.end(), 0.0);
  if (pcts.size() != scheds.size() || pcts.empty() || std::abs(sum - 1) > 1e-9) {
    throw Error(ErrorCode::usage, "combine_scheds needs a part for each schedule, and parts that sum to 1",
                {{"parts", pcts.size()}, {"schedules", scheds.size()}, {"sum", std::to_string(sum)}});
  }
  // fastai keeps boundaries and positions in float32; so do we, that a position on a boundary falls on the
  // same side.
  std::vector<float> starts{0};
  for (double p : pcts) starts.push_back(starts.back() + static_cast<float>(p));
  return [=](double pos) {
    const auto p = static_cast<float>(pos);
    std::size_t i = scheds.size() - 1;
    while (i > 0 && starts[i] > p) --i;
    return scheds[i]((p - starts[i]) / (starts[i + 1] - starts[i]));
  };
}

Schedule combined_cos(double pct, double start, double middle, double end) {
  return combine_scheds({pct, 1 - pct}, {sched_cos(start, middle), sched_cos(middle, end)});
}

}  // namespace kindling
