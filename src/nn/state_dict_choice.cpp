#include "nn/state_dict_choice.hpp"

#include <kindling/core/error.hpp>
#include <kindling/core/json.hpp>

#include "nn/pickle_globals.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling::detail {

namespace {

constexpr int max_nesting = 3;
// In the order of preference: the averaged weights of a checkpoint are those its author reports.
constexpr std::array<std::string_view, 8> usual_names{
    "state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model", "net", "weights", "params"};

bool has_tensors(const PickleDict& dict, const PickleHeap& heap) {
  for (const auto& [key, value] : dict.items) {
    if (heap.get_if<PickleTensor>(value) != nullptr) return true;
  }
  return false;
}

/// The dicts under the usual names; of a name that comes twice the last value counts, as in Python.
std::array<const PickleDict*, usual_names.size()> usual_members(const PickleDict& dict,
                                                                const PickleHeap& heap) {
  std::array<const PickleDict*, usual_names.size()> members{};
  for (const auto& [key, value] : dict.items) {
    const auto* text = heap.get_if<std::string>(key);
    if (text == nullptr) continue;
    const auto at = std::ranges::find(usual_names, *text) - usual_names.begin();
    if (at < std::ssize(usual_names)) members[static_cast<std::size_t>(at)] = heap.get_if<PickleDict>(value);
  }
  return members;
}

const PickleDict* search(const PickleDict& dict, const PickleHeap& heap, const std::string& where,
                         int depth) {
  if (depth == max_nesting) return nullptr;
  for (const PickleDict* inner : usual_members(dict, heap)) {
    if (inner == nullptr) continue;
    if (const auto* found = search(*inner, heap, where, depth + 1)) return found;
  }
  if (has_tensors(dict, heap)) return &dict;
  std::vector<std::string> names;
  const PickleDict* only = nullptr;
  for (const auto& [key, value] : dict.items) {
    const auto* inner = heap.get_if<PickleDict>(value);
    if (inner == nullptr || !has_tensors(*inner, heap)) continue;
    const auto* text = heap.get_if<std::string>(key);
    if (names.size() < 8) names.push_back(text == nullptr ? "?" : display_name(*text));
    only = inner;
  }
  if (names.size() > 1) {
    throw Error(ErrorCode::bad_weights,
                fmt::format("this file holds several dicts of tensors: {}", fmt::join(names, ", ")),
                {{"path", where}},
                "in Python, save the one you mean: torch.save(torch.load('file.pth')['" + names[0] +
                    "'], 'weights.pth')");
  }
  return only;
}

/// Names go into JSON headers and messages.
bool is_utf8(const std::string& text) {
  try {
    (void)Json(text).dump();
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

}  // namespace

ChosenDict choose_state_dict(PickleId root, const PickleHeap& heap, const std::string& where) {
  const auto* dict = heap.get_if<PickleDict>(root);
  const PickleDict* found = dict == nullptr ? nullptr : search(*dict, heap, where, 0);
  if (found == nullptr) {
    throw Error(ErrorCode::bad_weights,
                dict == nullptr ? "this file does not hold a dict of tensors"
                                : "this file holds no dict with tensors",
                {{"path", where}}, state_dict_hint);
  }
  ChosenDict chosen;
  for (const auto& [key, value] : found->items) {
    if (heap.get_if<PickleTensor>(value) == nullptr) continue;
    const auto* name = heap.get_if<std::string>(key);
    if (name == nullptr || !is_utf8(*name)) {
      throw Error(ErrorCode::bad_weights, "a tensor's name is not text", {{"path", where}}, state_dict_hint);
    }
    chosen.tensors.emplace_back(*name, value);
  }
  return chosen;
}

}  // namespace kindling::detail
