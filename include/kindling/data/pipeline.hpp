#pragma once
/// The one preprocessing path: training, validation, `predict` and the server run items through the same
/// `Pipeline`, which an export keeps as JSON.

#include <kindling/data/transform.hpp>

#include <string>
#include <vector>

namespace kindling {

/// What the target is: it chooses the loss and the way predictions are read.
enum class TargetKind { none, category, number, other };

/// Values of one item, or of one batch: a member a block.
using Values = std::vector<Value>;

struct Pipeline {
  std::vector<Transforms> blocks;  ///< type transforms of each block, in order
  Transforms item_tfms;            ///< over all members of an item
  Transforms batch_tfms;           ///< over all members of a batch, on the device
  int n_inp = 1;                   ///< how many of the blocks are inputs
  TargetKind target = TargetKind::none;

  /// Learns what transforms must learn (class names) from the training items' raw values, block by block.
  void setup(const std::vector<Values>& train_items);
  /// Raw members (a path, a label) to an item ready to be collated. Fewer members than blocks: inputs only.
  Values encode_item(Values raw, ItemContext context) const;
  /// Collated members to what the model takes.
  Values encode_batch(Values batch, ItemContext context, const torch::Device& device) const;
  /// Undoes the batch transforms and takes the batch apart: what a person can look at, item by item.
  std::vector<Values> decode_batch(const Values& batch) const;
  /// Undoes item and type transforms.
  Values decode_item(Values item) const;
  /// Class names of the target, empty for other targets.
  std::vector<std::string> vocab() const;

  Json to_json() const;
  /// Throws `bad_model` naming what is missing.
  static Pipeline from_json(const Json& json);
};

/// Stacks items member by member: pictures to a TensorImage (one size is demanded), classes to a
/// TensorCategory, numbers and tensors to a tensor. Throws `bad_data` naming the two items and shapes that do
/// not fit.
Values collate(const std::vector<Values>& items);

/// Splits a batch's members into the model's inputs and its targets.
Batch to_batch(const Values& values, int n_inp);

}  // namespace kindling
