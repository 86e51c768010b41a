#pragma once
/// A pickle machine that can build tensors, dicts, lists, numbers and strings, and nothing else: no name in
/// the file leads to code. docs/formats/pth.md lists the opcodes and names it knows.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <c10/core/ScalarType.h>

namespace kindling::detail {

/// Index of a value in its `PickleHeap`. Values refer to each other by index, so that a list that holds
/// itself neither leaks nor overflows the stack.
using PickleId = std::uint32_t;

struct PickleNone {};
/// A list, number or setting of another library that is read over: nothing in it can be a weight.
struct PickleOpaque {};
/// An integer beyond 64 bits, as its little-endian bytes.
struct PickleBigInt {
  std::string bytes;
};
struct PickleBytes {
  std::string bytes;
};
/// A permitted name, "torch.FloatStorage".
struct PickleGlobal {
  std::string name;
};
struct PickleTuple {
  std::vector<PickleId> items;
};
struct PickleList {
  std::vector<PickleId> items;
};
/// In the order of setting; a key that is set twice stands twice, and the last one counts.
struct PickleDict {
  std::vector<std::pair<PickleId, PickleId>> items;
};
/// A block of numbers that lies elsewhere in the file.
struct PickleStorage {
  std::string key;
  c10::ScalarType dtype = c10::ScalarType::Float;
  bool untyped = false;  ///< `numel` counts bytes and the tensor names its dtype
  std::int64_t numel = 0;
  bool is_view = false;  ///< a part of the storage (pre-zip format)
  std::int64_t view_offset = 0;
  std::int64_t view_numel = 0;
};
struct PickleTensor {
  PickleId storage = 0;
  c10::ScalarType dtype = c10::ScalarType::Float;
  std::int64_t offset = 0;
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> strides;
};

using PickleValue =
    std::variant<PickleNone, PickleOpaque, bool, std::int64_t, double, std::string, PickleBigInt, PickleBytes,
                 PickleGlobal, PickleTuple, PickleList, PickleDict, PickleStorage, PickleTensor>;

/// The values of one or more pickles.
class PickleHeap {
 public:
  PickleId add(PickleValue value);
  PickleValue& operator[](PickleId id) { return values_[id]; }
  const PickleValue& operator[](PickleId id) const { return values_[id]; }
  /// Null when the value is of another kind.
  template <class T>
  const T* get_if(PickleId id) const {
    return std::get_if<T>(&values_[id]);
  }
  std::size_t size() const { return values_.size(); }

 private:
  std::vector<PickleValue> values_;
};

/// Runs the pickle that starts at `begin` and returns its value; `end` becomes the offset after it.
/// Throws `bad_weights` with the byte offset, or `unsupported` naming a Python class that is not permitted.
PickleId run_pickle(std::span<const std::uint8_t> bytes, std::size_t begin, std::size_t& end,
                    PickleHeap& heap, const std::string& where);

}  // namespace kindling::detail
