#pragma once
/// A block says of one member of an item what it is and how it becomes a tensor.

#include <kindling/data/categories.hpp>
#include <kindling/data/pipeline.hpp>

namespace kindling {

/// Handle of a block: its transforms, merged with the user's by `DataBlock`. One of the user's own is made of braces:
///
///   Block CurveBlock() { return {.type_tfms = {ReadCurve{}}, .item_tfms = {ToTensor{}}}; }
struct Block {
  Transforms type_tfms = {};   ///< from the raw member (a path, a label) to a value
  Transforms item_tfms = {};   ///< default item transforms
  Transforms batch_tfms = {};  ///< default batch transforms
  TargetKind target = TargetKind::other;
};

/// A class as target: names to indices, cross-entropy as loss.
Block CategoryBlock(CategorizeOptions options = {});

struct MultiCategoryBlockOptions {
  bool encoded = false;                 ///< the labels are ones and zeros already, one a class of `vocab`
  std::vector<std::string> vocab = {};  ///< empty: the training items' labels, sorted
  bool add_na = false;                  ///< "#na#" at 0 for unknown labels
};

/// Several classes an item, or none: ones and zeros, binary cross-entropy as loss.
Block MultiCategoryBlock(MultiCategoryBlockOptions options = {});

struct RegressionBlockOptions {
  int n_out = 0;  ///< how many numbers; 0: as many as the training items have
};

/// One number or several: squared error as loss.
Block RegressionBlock(RegressionBlockOptions options = {});

struct PointBlockOptions {
  bool y_first = false;        ///< numbers come as y, x
  bool allow_outside = false;  ///< points may lie outside of their picture
};

/// Points in pixels of the item's picture, to [-1, 1]: squared error as loss.
Block PointBlock(PointBlockOptions options = {});

/// Boxes in pixels of the item's picture, to [-1, 1]; clipped to the picture, and dropped where nothing of them is left,
/// with their labels where a BBoxLblBlock follows. Items with fewer boxes end in zeros.
Block BBoxBlock();

struct BBoxLblBlockOptions {
  std::vector<std::string> vocab = {};  ///< empty: the training items' labels, sorted
  bool add_na = true;                   ///< "#na#" at 0, which also fills up items with fewer boxes
};

/// One class name a box, in the order of the boxes.
Block BBoxLblBlock(BBoxLblBlockOptions options = {});

}  // namespace kindling
