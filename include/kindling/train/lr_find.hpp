#pragma once
/// The learning rate finder (Smith 2017; fastai `lr_find`): a mock training whose learning rate grows, and what
/// its curve suggests.
///
///   const LrFindResult found = learn.lr_find();
///   learn.fine_tune(3, {.base_lr = found.valley});
///
/// Everything is as before afterwards: weights, optimizer, recorder, the order of the training items, torch's random
/// numbers.

#include <kindling/train/hyper.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace kindling {

class Learner;

/// Learning rates and smooth losses, one a training batch.
struct LrCurve {
  std::vector<double> lrs;
  std::vector<double> losses;
};

/// A learning rate that a curve suggests, and the point of the curve that shows why. All NaN for a curve that
/// is too short.
struct LrSuggestion {
  double lr = std::numeric_limits<double>::quiet_NaN();
  double at_lr = std::numeric_limits<double>::quiet_NaN();
  double at_loss = std::numeric_limits<double>::quiet_NaN();
};

/// fastai's four rules. They compute in float32, as fastai's do.
namespace suggest {

/// The middle of the longest valley: of the longest subsequence of falling losses the point after a half (fastai
/// `valley`).
LrSuggestion valley(const LrCurve& curve);
/// Where the loss falls fastest by the logarithm of the rate (fastai `steep`).
LrSuggestion steep(const LrCurve& curve);
/// A tenth of the rate with the lowest loss (fastai `minimum`).
LrSuggestion minimum(const LrCurve& curve);

struct SlideOptions {
  int lr_diff = 15;      ///< points between the two ends of the interval
  double thresh = 0.005;  ///< how alike the slopes at both ends must be
  double adjust_value = 1;
};
/// Slides an interval down from the end of the curve until the slopes at its ends are alike (fastai `slide`).
LrSuggestion slide(const LrCurve& curve, const SlideOptions& options = {});

}  // namespace suggest

struct LrFindOptions {
  Hyper start_lr = 1e-7;
  Hyper end_lr = 10.0;
  int num_it = 100;       ///< batches; at least 6
  bool stop_div = true;  ///< stop once the smooth loss is four times the lowest
};

struct LrFindResult {
  /// Rates of the last group and smooth losses of the mock training, whole.
  LrCurve curve;
  /// NaN where the curve is too short to say.
  double valley = std::numeric_limits<double>::quiet_NaN();
  double steep = std::numeric_limits<double>::quiet_NaN();
  double minimum = std::numeric_limits<double>::quiet_NaN();
  double slide = std::numeric_limits<double>::quiet_NaN();
  /// The same by name, with their points, in that order.
  std::vector<std::pair<std::string, LrSuggestion>> suggestions;
  bool interrupted = false;  ///< by Ctrl-C
};

/// What the curve of a mock training of `num_it` batches suggests: without its first tenth and its last five
/// points, and from the first loss on that is not a number.
LrFindResult suggestions_of(LrCurve curve, int num_it);

/// `learn.lr_find(options)`.
LrFindResult lr_find(Learner& learn, const LrFindOptions& options = {});

}  // namespace kindling
