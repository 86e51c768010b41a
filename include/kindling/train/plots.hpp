#pragma once
/// What a training leaves as numbers, as charts.
///
///   plot_lr_find(learn.lr_find()).save("lr_find.html");
///   plot_loss(learn.recorder()).save("loss.html");

#include <kindling/core/figure.hpp>
#include <kindling/train/lr_find.hpp>
#include <kindling/train/recorder.hpp>

namespace kindling {

struct PlotLrFindOptions {
  int skip_end = 5;  ///< points at the end that are left out: there the loss has exploded
};
/// Smooth loss over learning rate, logarithmic, with the suggestions as points (fastai `Recorder.plot_lr_find`).
Figure plot_lr_find(const LrFindResult& result, const PlotLrFindOptions& options = {});

struct PlotLossOptions {
  int skip_start = 5;      ///< batches at the start that are left out
  bool with_valid = true;  ///< the validation loss at the end of each epoch
  bool log = false;        ///< logarithmic loss
};
/// Smooth training loss over steps (fastai `Recorder.plot_loss`). Of a record that is empty the chart is empty.
Figure plot_loss(const Recorder& recorder, const PlotLossOptions& options = {});

/// Learning rate and momentum over the steps of the last fit, side by side (fastai `Recorder.plot_sched`).
Figure plot_sched(const Recorder& recorder);

}  // namespace kindling
