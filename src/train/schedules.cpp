#include <kindling/core/error.hpp>
#include <kindling/train/schedules.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <numeric>
#include <string>

namespace kindling {

double sched_lin(double start, double end, double pos) {
  return start + pos * (end - start);
}
double sched_cos(double start, double end, double pos) {
  return start + (1 + std::cos(std::numbers::pi * (1 - pos))) * (end - start) / 2;
}
double sched_no(double start, double, double) {
  return start;
}
double sched_exp(double start, double end, double pos) {
  return start * std::pow(end / start, pos);
}

Schedule SchedLin(double start, double end) {
  return [=](double pos) { return sched_lin(start, end, pos); };
}
Schedule SchedCos(double start, double end) {
  return [=](double pos) { return sched_cos(start, end, pos); };
}
Schedule SchedNo(double start, double end) {
  return [=](double pos) { return sched_no(start, end, pos); };
}
Schedule SchedExp(double start, double end) {
  return [=](double pos) { return sched_exp(start, end, pos); };
}
Schedule SchedPoly(double start, double end, double power) {
  return [=](double pos) { return start + (end - start) * std::pow(pos, power); };
}

Schedule combine_scheds(const std::vector<double>& pcts, const std::vector<Schedule>& scheds) {
  const double sum = std::accumulate(pcts.begin(), pcts.end(), 0.0);
  const bool negative = std::any_of(pcts.begin(), pcts.end(), [](double p) { return !(p >= 0); });
  if (pcts.size() != scheds.size() || pcts.empty() || negative || std::abs(sum - 1) > 1e-9) {
    throw Error(ErrorCode::usage, "combine_scheds needs a part for each schedule, and parts that sum to 1",
                {{"parts", pcts.size()}, {"schedules", scheds.size()}, {"sum", std::to_string(sum)}});
  }
  // fastai keeps boundaries and positions in float32 (and torch adds them up in float64); so do we, that a
  // position on a boundary falls on the same side.
  std::vector<float> starts{0};
  double start = 0;
  for (double p : pcts) starts.push_back(static_cast<float>(start += static_cast<float>(p)));
  return [=](double pos) {
    const auto p = static_cast<float>(pos);
    std::size_t i = scheds.size() - 1;
    while (i > 0 && starts[i] > p) --i;
    const float width = starts[i + 1] - starts[i];
    return scheds[i](width > 0 ? (p - starts[i]) / width : 0);
  };
}

Schedule combined_cos(double pct, double start, double middle, double end) {
  return combine_scheds({pct, 1 - pct}, {SchedCos(start, middle), SchedCos(middle, end)});
}

ParamSchedules one_cycle_scheds(const std::vector<double>& lr_max, const OneCycleScheds& o) {
  ParamSchedules scheds;
  for (double max : lr_max)
    scheds["lr"].push_back(combined_cos(o.pct_start, max / o.div, max, max / o.div_final));
  if (o.moms)
    scheds["mom"] = {combined_cos(o.pct_start, (*o.moms)[0], (*o.moms)[1], (*o.moms)[2])};
  return scheds;
}

ParamSchedules flat_cos_scheds(const std::vector<double>& lr, const FlatCosScheds& o) {
  ParamSchedules scheds;
  for (double rate : lr) scheds["lr"].push_back(combined_cos(o.pct_start, rate, rate, rate / o.div_final));
  return scheds;
}

int sgdr_epochs(int n_cycles, int cycle_len, int cycle_mult) {
  constexpr std::int64_t most = 1'000'000;
  if (n_cycles < 1 || cycle_len < 1 || cycle_mult < 1) {
    throw Error(ErrorCode::usage, "SGDR needs one cycle, of one epoch, and a cycle_mult of 1 at least",
                {{"n_cycles", n_cycles}, {"cycle_len", cycle_len}, {"cycle_mult", cycle_mult}});
  }
  std::int64_t epochs = 0, cycle = cycle_len;
  for (int i = 0; i < n_cycles && epochs <= most; ++i, cycle = std::min(cycle * cycle_mult, most + 1))
    epochs += cycle;
  if (epochs > most) {
    throw Error(ErrorCode::usage, "that is more than a million epochs",
                {{"n_cycles", n_cycles}, {"cycle_len", cycle_len}, {"cycle_mult", cycle_mult}});
  }
  return static_cast<int>(epochs);
}

ParamSchedules sgdr_scheds(const std::vector<double>& lr_max, int n_cycles, int cycle_mult) {
  const double whole = sgdr_epochs(n_cycles, 1, cycle_mult);
  std::vector<double> pcts;
  for (int i = 0; i < n_cycles; ++i) pcts.push_back(std::pow(cycle_mult, i) / whole);
  ParamSchedules scheds;
  for (double max : lr_max)
    scheds["lr"].push_back(combine_scheds(pcts, std::vector<Schedule>(pcts.size(), SchedCos(max, 0))));
  return scheds;
}

}  // namespace kindling
