#pragma once
/// How a hyper-parameter moves over a training: functions of the part done, from 0 to 1 (fastai
/// `callback.schedule`).
///
///   auto warm_up = combine_scheds({0.1, 0.9}, {SchedLin(1e-5, 1e-2), SchedCos(1e-2, 0)});
///   auto policy = flat_cos_scheds({1e-4, 1e-3});            // two parameter groups

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kindling {

using Schedule = std::function<double(double pos)>;

/// start + pos (end - start)
double sched_lin(double start, double end, double pos);
/// start + (1 + cos(pi (1 - pos))) (end - start) / 2
double sched_cos(double start, double end, double pos);
/// start
double sched_no(double start, double end, double pos);
/// start (end / start)^pos
double sched_exp(double start, double end, double pos);

/// The same as functions of the position alone.
Schedule SchedLin(double start, double end);
Schedule SchedCos(double start, double end);
Schedule SchedNo(double start, double end);
Schedule SchedExp(double start, double end);
/// start + (end - start) pos^power
Schedule SchedPoly(double start, double end, double power);

/// Schedules one after the other, each over its part. Throws `usage` when the parts do not sum to 1 or one is
/// negative. A position on a boundary belongs to the later part.
Schedule combine_scheds(const std::vector<double>& pcts, const std::vector<Schedule>& scheds);
/// Cosine start to middle over `pct`, then middle to end.
Schedule combined_cos(double pct, double start, double middle, double end);

/// What moves over a fit: for each hyper-parameter one schedule for all parameter groups, or one a group.
using ParamSchedules = std::map<std::string, std::vector<Schedule>>;

struct OneCycleScheds {
  double div = 25;         ///< starts at lr_max / div
  double div_final = 1e5;  ///< ends at lr_max / div_final
  double pct_start = 0.25;
  /// Momentum: start, middle, end; left out it stays.
  std::optional<std::array<double, 3>> moms = std::array<double, 3>{0.95, 0.85, 0.95};
};
/// Smith's 1cycle policy over the groups' maxima (fastai `fit_one_cycle`).
ParamSchedules one_cycle_scheds(const std::vector<double>& lr_max, const OneCycleScheds& options = {});

struct FlatCosScheds {
  double div_final = 1e5;
  double pct_start = 0.75;
};
/// Flat over `pct_start`, then by a cosine to lr / div_final; momentum stays (fastai `fit_flat_cos`).
ParamSchedules flat_cos_scheds(const std::vector<double>& lr, const FlatCosScheds& options = {});

/// `n_cycles` cosines from lr_max to 0, each `cycle_mult` times as long as the one before (Loshchilov, Hutter
/// 2017; fastai `fit_sgdr`). Throws `usage` for numbers below 1.
ParamSchedules sgdr_scheds(const std::vector<double>& lr_max, int n_cycles, int cycle_mult = 2);
/// Epochs of such a fit, the first cycle taking `cycle_len`. Throws `usage` for numbers below 1, and for more than a
/// million epochs.
int sgdr_epochs(int n_cycles, int cycle_len, int cycle_mult = 2);

}  // namespace kindling
