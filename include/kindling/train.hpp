#pragma once
/// The learner, its callbacks, optimizers, schedules, losses, metrics.
#include <kindling/data.hpp>
#include <kindling/nn/head.hpp>
#include <kindling/nn/models.hpp>
#include <kindling/nn/registry.hpp>
#include <kindling/nn/weights.hpp>
#include <kindling/train/export.hpp>
#include <kindling/train/learner.hpp>
