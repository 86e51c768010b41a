#pragma once
/// Finds the state dict in what a Python program saved: the dict itself, or one inside a checkpoint.

#include "nn/pickle.hpp"

#include <string>
#include <utility>
#include <vector>

namespace kindling::detail {

struct ChosenDict {
  /// Name and tensor in file order; of a name that comes twice the last counts.
  std::vector<std::pair<std::string, PickleId>> tensors;
};

/// A dict under one of the usual names ("state_dict", "model", …) is looked into first; then the dict itself
/// counts when it has tensors; then the only dict inside it that has some. Throws `bad_weights` when there is
/// none or no single one.
ChosenDict choose_state_dict(PickleId root, const PickleHeap& heap, const std::string& where);

}  // namespace kindling::detail
