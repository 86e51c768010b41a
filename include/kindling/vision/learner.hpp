#pragma once
/// Transfer learning for pictures: a pretrained body, fastai's head, the learner round both.
///
///   auto learn = vision_learner(dls, "resnet34", {.metrics = {error_rate}});
///   learn.fine_tune(1);

#include <kindling/nn/head.hpp>
#include <kindling/nn/models.hpp>
#include <kindling/train/learner.hpp>
#include <kindling/vision/data_loaders.hpp>

#include <string>

namespace kindling {

/// fastai's arguments of `vision_learner` and of `Learner`.
struct VisionLearnerOptions {
  std::vector<Metric> metrics = {};
  bool pretrained = true;
  /// Registry name of the weights; empty: the architecture's default.
  std::string weights = "";
  /// Add the statistics that the weights were trained with, unless there is a Normalize already. Only when
  /// pretrained.
  bool normalize = true;
  int n_out = 0;  ///< 0: as the target needs
  int n_in = 3;
  HeadOptions head = {};
  LossFunction loss_func = {};
  OptFunc opt_func = Adam();
  double lr = 1e-3;
  std::optional<double> wd = std::nullopt;
  bool wd_bn_bias = false;
  bool train_bn = true;
  std::array<double, 3> moms{0.95, 0.85, 0.95};
  Callbacks cbs = {};
  fs::path path = ".";
  std::shared_ptr<Listener> listener = nullptr;
};

/// Builds body and head, loads the weights, and freezes all but the head where pretrained.
Learner vision_learner(DataLoaders dls, const std::string& arch, VisionLearnerOptions options = {});

/// The model alone: input N x n_in x H x W, output N x n_out; groups of the body, then the head.
Model create_vision_model(const std::string& arch, int n_out, int n_in = 3, const HeadOptions& head = {});

namespace detail {
/// Makes pictures' transforms and models known to `load_learner`. Done by including <kindling/vision.hpp>.
bool register_vision();
}  // namespace detail

}  // namespace kindling
