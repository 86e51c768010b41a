#pragma once
/// What a batch of boxes needs over all members of an item: boxes and their labels go together (fastai `bb_pad`).

#include <kindling/data/pipeline.hpp>

namespace kindling::detail {

/// Throws `bad_data` for an item with another count of boxes than of labels of boxes.
void check_box_labels(const Values& item);

/// The items with their scaled boxes clipped to [-1, 1], and those of no area dropped together with their labels. Empty
/// where the items have no boxes.
std::vector<Values> clip_boxes(const std::vector<Values>& items);

/// Takes the zeros that filled an item's boxes up away again, and as many labels.
void strip_box_padding(Values& item);

}  // namespace kindling::detail
