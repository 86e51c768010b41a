#pragma once
/// Models out of files, whatever they were trained for.

#include <kindling/train/learner.hpp>

namespace kindling {

/// What an exported file holds, after its checksum was found right.
struct ExportedModel {
  Json manifest;  ///< docs/formats/model.md
  Pipeline pipeline;
  Model model;  ///< with its weights, in evaluation mode
  LossFunction loss_func;
  /// Items kept for `verify`: the encoded picture and the activated output.
  struct VerifyItem {
    Bytes encoded;
    torch::Tensor output;
  };
  std::vector<VerifyItem> verify_items;
};

/// Throws `bad_model` for a file that is damaged, cut short, altered, or of a newer format; `not_found` for a
/// missing one.
ExportedModel read_exported(const fs::path& path);
/// The manifest alone (the checksum is verified all the same).
Json read_manifest(const fs::path& path);

/// A learner that can predict, and be given data to train on further. (fastai `load_learner`.)
Learner load_learner(const fs::path& path);

/// Reads what the model said of one item: a class, several, numbers or points. Points are brought back to pixels of `photo`,
/// the item as it was given or opened; without it to those of a picture 2 x 2 round 0, which is what the model gives.
Prediction to_prediction(const Pipeline& pipeline, const LossFunction& loss_func,
                         const torch::Tensor& activated, const Value& photo = {});

/// The item with its picture opened in full where the prediction will be brought back to it, else the item as it is.
Value opened_for_prediction(const Pipeline& pipeline, const Value& item);

}  // namespace kindling
