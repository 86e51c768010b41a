#pragma once
/// The settings that each application's learner has in common with `Learner`.

#include <kindling/train/learner.hpp>

namespace kindling::detail {

/// They stand in each application's own options, since a program names them there; here they are passed on.
template <class Options>
LearnerOptions learner_options(const Options& o) {
  return {.opt_func = o.opt_func,
          .loss_func = o.loss_func,
          .metrics = o.metrics,
          .lr = o.lr,
          .wd = o.wd,
          .wd_bn_bias = o.wd_bn_bias,
          .train_bn = o.train_bn,
          .moms = o.moms,
          .cbs = o.cbs,
          .path = o.path,
          .listener = o.listener};
}

}  // namespace kindling::detail
