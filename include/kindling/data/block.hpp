#pragma once
/// A block says of one member of an item what it is and how it becomes a tensor.

#include <kindling/data/categories.hpp>
#include <kindling/data/pipeline.hpp>

namespace kindling {

/// Handle of a block: its transforms, merged with the user's by `DataBlock`.
struct Block {
  Transforms type_tfms = {};   ///< from the raw member (a path, a label) to a value
  Transforms item_tfms = {};   ///< default item transforms
  Transforms batch_tfms = {};  ///< default batch transforms
  TargetKind target = TargetKind::other;
};

/// A class as target: names to indices, cross-entropy as loss.
Block CategoryBlock(CategorizeOptions options = {});

}  // namespace kindling
