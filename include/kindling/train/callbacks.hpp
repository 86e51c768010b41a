#pragma once
/// The library's callbacks, with fastai's names, orders and defaults (fastai-facts 3.9; docs/guide/callbacks.md).
///
///   learn.fit_one_cycle(10, 1e-3, {.cbs = {EarlyStoppingCallback({.patience = 3}), GradientClip{.max_norm = 0.5}}});
///
/// To look at a callback afterwards share it: `auto stats = std::make_shared<ActivationStats>(); … {.cbs = {stats}}`.

#include <kindling/train/callback_fetch.hpp>
#include <kindling/train/callback_log.hpp>
#include <kindling/train/callback_mix.hpp>
#include <kindling/train/callback_tracker.hpp>
#include <kindling/train/callback_training.hpp>
#include <kindling/train/hooks.hpp>
#include <kindling/train/mixed_precision.hpp>
