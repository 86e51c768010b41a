#pragma once
/// The one preprocessing path: training, validation, `predict` and the server run items through the same
/// `Pipeline`, which an export keeps as JSON.

#include <kindling/data/transform.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace kindling {

/// What the target is: it chooses the loss and the way predictions are read.
enum class TargetKind { none, category, categories, number, points, mask, boxes, other };

/// Values of one item, or of one batch: a member a block.
using Values = std::vector<Value>;

/// Seconds spent by what was done: a transform's name, "collate" …
using StageTimes = std::map<std::string, double, std::less<>>;

/// Makes a batch of many raw items at once, where one by one would be slow: rows of a table, column by column. A pipeline
/// that has one leaves the items' side of its work to it; what it knows travels in exports by its name.
class BatchEncoder {
 public:
  virtual ~BatchEncoder() = default;
  /// Collated members of these items: the inputs, and the targets where `with_targets`.
  virtual Values encode(const std::vector<Value>& items, bool with_targets) const = 0;
  /// What a person can look at, item by item: a value for each of `names`, as far as the batch has them.
  virtual std::vector<Values> decode(const Values& batch) const = 0;
  virtual std::vector<std::string> names() const = 0;
  /// Class names of the target, empty for other targets.
  virtual std::vector<std::string> vocab() const = 0;
  /// Outputs that a model needs for the target.
  virtual int c() const = 0;
  virtual std::string name() const = 0;
  virtual Json to_json() const = 0;
  /// The item as bytes that `encode` takes for it, for an export's proof; empty where there are none.
  virtual Bytes to_bytes(const Value&) const { return {}; }
};

/// Makes encoders of that name known to `Pipeline::from_json`, so that exports that hold one can be loaded.
void register_batch_encoder(const std::string& name,
                            std::function<std::shared_ptr<const BatchEncoder>(const Json&)> make);

struct Pipeline {
  std::vector<Transforms> blocks;  ///< type transforms of each block, in order
  Transforms item_tfms;            ///< over all members of an item
  Transforms batch_tfms;           ///< over all members of a batch, on the device
  int n_inp = 1;                   ///< how many of the blocks are inputs
  TargetKind target = TargetKind::none;
  /// In place of `blocks` and `item_tfms`, which are then empty lists; may be null.
  std::shared_ptr<const BatchEncoder> encoder = nullptr;

  /// Learns what transforms must learn (class names) from the training items' raw values, block by block.
  void setup(const std::vector<Values>& train_items);
  /// Raw members (a path, a label) to an item ready to be collated. Fewer members than blocks: inputs only.
  Values encode_item(Values raw, ItemContext context) const;
  /// The same in two parts: the part that is equal in every epoch of the split, and the rest. Time spent is added to
  /// `times`.
  Values encode_kept(Values raw, ItemContext context, StageTimes& times) const;
  Values encode_rest(Values kept, ItemContext context, StageTimes& times) const;
  /// Whether `encode_kept` does anything worth keeping.
  bool keeps(Split split) const;
  /// Collated members to what the model takes.
  Values encode_batch(Values batch, ItemContext context, const torch::Device& device) const;
  /// Undoes the batch transforms and takes the batch apart: what a person can look at, item by item.
  std::vector<Values> decode_batch(const Values& batch) const;
  /// Undoes item and type transforms.
  Values decode_item(Values item) const;
  /// Class names of the target, empty for other targets.
  std::vector<std::string> vocab() const;

  /// Outputs that a model needs for the target: classes, or numbers; 0 where nothing says it.
  int c() const;

  Json to_json() const;
  /// Throws `bad_model` naming what is missing.
  static Pipeline from_json(const Json& json);
};

/// Stacks items member by member: pictures to a TensorImage and masks to a TensorMask (one size is demanded), a class
/// to a TensorCategory, numbers and tensors to a tensor, scaled points to a TensorPoint; boxes and the classes of
/// boxes are filled up with zeros to the longest (fastai `bb_pad`). Throws `bad_data` naming the two items and shapes that do
/// not fit.
Values collate(const std::vector<Values>& items);

/// Splits a batch's members into the model's inputs and its targets.
Batch to_batch(const Values& values, int n_inp);

}  // namespace kindling
