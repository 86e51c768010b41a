#include "nn/pickle_globals.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace kindling::detail {

namespace {

using c10::ScalarType;

struct StorageClass {
  std::string_view name;
  ScalarType dtype;
};
constexpr std::array storage_classes{
    StorageClass{"FloatStorage", ScalarType::Float}, StorageClass{"DoubleStorage", ScalarType::Double},
    StorageClass{"HalfStorage", ScalarType::Half},   StorageClass{"BFloat16Storage", ScalarType::BFloat16},
    StorageClass{"LongStorage", ScalarType::Long},   StorageClass{"IntStorage", ScalarType::Int},
    StorageClass{"ShortStorage", ScalarType::Short}, StorageClass{"CharStorage", ScalarType::Char},
    StorageClass{"ByteStorage", ScalarType::Byte},   StorageClass{"BoolStorage", ScalarType::Bool}};
constexpr std::string_view untyped_storage = "torch.storage.UntypedStorage";

constexpr std::array dtypes{
    StorageClass{"torch.float32", ScalarType::Float}, StorageClass{"torch.float64", ScalarType::Double},
    StorageClass{"torch.float16", ScalarType::Half},  StorageClass{"torch.bfloat16", ScalarType::BFloat16},
    StorageClass{"torch.int64", ScalarType::Long},    StorageClass{"torch.int32", ScalarType::Int},
    StorageClass{"torch.int16", ScalarType::Short},   StorageClass{"torch.int8", ScalarType::Char},
    StorageClass{"torch.uint8", ScalarType::Byte},    StorageClass{"torch.bool", ScalarType::Bool}};

constexpr std::array<std::string_view, 8> functions{"collections.OrderedDict",
                                                    "torch._utils._rebuild_tensor",
                                                    "torch._utils._rebuild_tensor_v2",
                                                    "torch._utils._rebuild_tensor_v3",
                                                    "torch._utils._rebuild_parameter",
                                                    "torch._utils._rebuild_parameter_with_state",
                                                    "torch.Size",
                                                    "torch.device"};

constexpr std::array<std::string_view, 7> opaque{"fastcore.foundation.L",
                                                 "numpy.core.multiarray.scalar",
                                                 "numpy._core.multiarray.scalar",
                                                 "numpy.dtype",
                                                 "_codecs.encode",
                                                 "__builtin__.set",
                                                 "builtins.set"};

std::optional<ScalarType> find_dtype(const auto& table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &StorageClass::name);
  return found == table.end() ? std::nullopt : std::optional(found->dtype);
}

/// "torch.FloatStorage" and "torch.cuda.FloatStorage".
std::optional<ScalarType> storage_dtype(std::string_view name) {
  for (const std::string_view prefix : {"torch.cuda.", "torch."}) {
    if (name.starts_with(prefix)) {
      if (const auto dtype = find_dtype(storage_classes, name.substr(prefix.size()))) return dtype;
    }
  }
  return std::nullopt;
}

std::optional<std::vector<std::int64_t>> integers(PickleId id, const PickleHeap& heap) {
  std::vector<std::int64_t> out;
  const std::vector<PickleId>* items = nullptr;
  if (const auto* tuple = heap.get_if<PickleTuple>(id)) items = &tuple->items;
  if (const auto* list = heap.get_if<PickleList>(id)) items = &list->items;
  if (items == nullptr || items->size() > 64) return std::nullopt;
  for (const PickleId item : *items) {
    const auto* value = heap.get_if<std::int64_t>(item);
    if (value == nullptr) return std::nullopt;
    out.push_back(*value);
  }
  return out;
}

CallResult problem(std::string text) {
  CallResult result;
  result.problem = std::move(text);
  return result;
}

/// (storage, offset, size, stride[, requires_grad, hooks[, dtype]]); `with_dtype` is version 3.
CallResult rebuild_tensor(const std::vector<PickleId>& args, const PickleHeap& heap, bool with_dtype) {
  if (args.size() < (with_dtype ? 7u : 4u)) return problem("too few arguments");
  const auto* storage = heap.get_if<PickleStorage>(args[0]);
  const auto* offset = heap.get_if<std::int64_t>(args[1]);
  auto sizes = integers(args[2], heap);
  auto strides = integers(args[3], heap);
  if (storage == nullptr) return problem("the first argument is not a storage");
  if (offset == nullptr || !sizes || !strides || sizes->size() != strides->size()) {
    return problem("offset, sizes or strides are not what they must be");
  }
  PickleTensor tensor{args[0], storage->dtype, *offset, std::move(*sizes), std::move(*strides)};
  if (with_dtype) {
    const auto* global = heap.get_if<PickleGlobal>(args[6]);
    const auto dtype = global == nullptr ? std::nullopt : find_dtype(dtypes, global->name);
    if (!dtype) return problem("the dtype is not one that kindling reads");
    tensor.dtype = *dtype;
  } else if (storage->untyped) {
    return problem("a storage without a dtype");
  }
  CallResult result;
  result.value = std::move(tensor);
  return result;
}

/// OrderedDict(), or OrderedDict([[key, value], …]) as Python 2 wrote it.
CallResult ordered_dict(const std::vector<PickleId>& args, const PickleHeap& heap) {
  PickleDict dict;
  if (args.size() > 1) return problem("more than one argument");
  if (args.size() == 1) {
    const auto* list = heap.get_if<PickleList>(args[0]);
    if (list == nullptr) return problem("the argument is not a list");
    for (const PickleId item : list->items) {
      const auto* pair = heap.get_if<PickleList>(item);
      const auto* tuple = heap.get_if<PickleTuple>(item);
      const auto* both = pair != nullptr ? &pair->items : tuple != nullptr ? &tuple->items : nullptr;
      if (both == nullptr || both->size() != 2) return problem("an item is not a pair");
      dict.items.emplace_back((*both)[0], (*both)[1]);
    }
  }
  CallResult result;
  result.references = dict.items.size();
  result.value = std::move(dict);
  return result;
}

}  // namespace

bool is_permitted_global(const std::string& name) {
  return std::ranges::find(functions, name) != functions.end() || name == untyped_storage ||
         storage_dtype(name).has_value() || find_dtype(dtypes, name).has_value();
}

bool is_opaque_global(const std::string& name) {
  return std::ranges::find(opaque, name) != opaque.end();
}

std::string display_name(std::string_view name) {
  constexpr std::size_t longest = 120;
  std::string out;
  for (const char c : name.substr(0, longest)) out += c > ' ' && c < '\x7f' ? c : '?';
  return name.size() > longest ? out + "..." : out;
}

CallResult call_global(const std::string& name, const std::vector<PickleId>& args, const PickleHeap& heap) {
  if (name == "collections.OrderedDict") return ordered_dict(args, heap);
  if (name == "torch._utils._rebuild_tensor" || name == "torch._utils._rebuild_tensor_v2") {
    return rebuild_tensor(args, heap, false);
  }
  if (name == "torch._utils._rebuild_tensor_v3") return rebuild_tensor(args, heap, true);
  if (args.empty()) return problem("too few arguments");
  CallResult result;
  if (name.starts_with("torch._utils._rebuild_parameter")) {
    if (heap.get_if<PickleTensor>(args[0]) == nullptr) return problem("the first argument is not a tensor");
    result.same = args[0];
    return result;
  }
  if (name == "torch.Size" || name == "torch.device") {
    result.same = args[0];
    return result;
  }
  return problem("this name is not a function");
}

StorageResult storage_of(const std::vector<PickleId>& parts, const PickleHeap& heap) {
  StorageResult result;
  const auto fail = [&](const char* why) {
    result.problem = why;
    return result;
  };
  if (parts.size() < 5 || parts.size() > 6) return fail("not five or six parts");
  const auto* kind = heap.get_if<std::string>(parts[0]);
  const auto* type = heap.get_if<PickleGlobal>(parts[1]);
  const auto* key = heap.get_if<std::string>(parts[2]);
  const auto* numel = heap.get_if<std::int64_t>(parts[4]);
  if (kind == nullptr || *kind != "storage" || type == nullptr || key == nullptr)
    return fail("not ('storage', type, key)");
  if (numel == nullptr || *numel < 0) return fail("not a number of elements");
  const auto dtype = storage_dtype(type->name);
  result.storage.key = *key;
  result.storage.numel = *numel;
  result.storage.untyped = type->name == untyped_storage;
  if (!dtype && !result.storage.untyped) return fail("not the name of a storage");
  result.storage.dtype = dtype.value_or(ScalarType::Byte);
  if (parts.size() == 6 && heap.get_if<PickleNone>(parts[5]) == nullptr) {
    // (key of the view, offset, size): the tensor's offset counts from the view's start.
    const auto* view = heap.get_if<PickleTuple>(parts[5]);
    const auto* offset =
        view != nullptr && view->items.size() == 3 ? heap.get_if<std::int64_t>(view->items[1]) : nullptr;
    const auto* size = offset != nullptr ? heap.get_if<std::int64_t>(view->items[2]) : nullptr;
    if (size == nullptr || *offset < 0 || *size < 0 || *offset > *numel || *size > *numel - *offset) {
      return fail("a view outside its storage");
    }
    result.storage.is_view = true;
    result.storage.view_offset = *offset;
    result.storage.view_numel = *size;
  }
  return result;
}

}  // namespace kindling::detail
