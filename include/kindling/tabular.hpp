#pragma once
/// Tables: everything that a program with rows and columns needs.
#include <kindling/data.hpp>
#include <kindling/tabular/baseline.hpp>
#include <kindling/tabular/check.hpp>
#include <kindling/tabular/data.hpp>
#include <kindling/tabular/dates.hpp>
#include <kindling/tabular/folds.hpp>
#include <kindling/tabular/interpret.hpp>
#include <kindling/tabular/learner.hpp>
#include <kindling/tabular/model.hpp>
#include <kindling/tabular/procs.hpp>
#include <kindling/tabular/split.hpp>
#include <kindling/tabular/tabm.hpp>
#include <kindling/train.hpp>

namespace kindling::detail {
inline const bool tabular_is_known = register_tabular();
}
