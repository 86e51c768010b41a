#pragma once
/// The Python names that a file of weights may use, and what becomes of a call to each.

#include "nn/pickle.hpp"

#include <optional>

namespace kindling::detail {

inline constexpr const char* state_dict_hint =
    "in Python, load the file where you trust it and save the tensors alone: torch.save(model.state_dict(), "
    "'weights.pth')";

bool is_permitted_global(const std::string& name);
/// Lists, sets and numbers of other libraries that stand beside the weights (fastai's `learn.save` keeps the
/// optimizer's settings so); they are read over.
bool is_opaque_global(const std::string& name);
/// A foreign name fit for a message: printable and not long.
std::string display_name(std::string_view name);

struct CallResult {
  PickleValue value;
  std::optional<PickleId> same;  ///< the result is this value that exists already
  std::size_t references = 0;    ///< copied from one container to another
  std::string problem;           ///< not empty: the arguments are wrong
};
CallResult call_global(const std::string& name, const std::vector<PickleId>& args, const PickleHeap& heap);

struct StorageResult {
  PickleStorage storage;
  std::string problem;  ///< not empty: damaged
};
/// Of a persistent id: ('storage', type, key, location, numel[, view]).
StorageResult storage_of(const std::vector<PickleId>& parts, const PickleHeap& heap);

}  // namespace kindling::detail
