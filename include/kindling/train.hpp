#pragma once
/// The learner, its callbacks, optimizers, schedules, losses, metrics.
#include <kindling/data.hpp>
#include <kindling/nn.hpp>
#include <kindling/train/export.hpp>
#include <kindling/train/learner.hpp>
