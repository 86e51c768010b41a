#pragma once
/// How a hyper-parameter moves over a training: functions of the part done, from 0 to 1 (fastai
/// `callback.schedule`).

#include <functional>
#include <vector>

namespace kindling {

using Schedule = std::function<double(double pos)>;

/// start + pos (end - start)
Schedule sched_lin(double start, double end);
/// start + (1 + cos(pi (1 - pos))) (end - start) / 2
Schedule sched_cos(double start, double end);
/// start
Schedule sched_no(double start, double end);
/// start (end / start)^pos
Schedule sched_exp(double start, double end);
/// start + (end - start) pos^power
Schedule sched_poly(double start, double end, double power);

/// Schedules one after the other, each over its part. Throws `usage` when the parts do not sum to 1.
Schedule combine_scheds(const std::vector<double>& pcts, const std::vector<Schedule>& scheds);
/// Cosine start to middle over `pct`, then middle to end.
Schedule combined_cos(double pct, double start, double middle, double end);

}  // namespace kindling
