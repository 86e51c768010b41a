#include <kindling/core/error.hpp>
#include <kindling/nn/seal.hpp>
#include <kindling/nn/weights.hpp>

#include "core/sha256.hpp"
#include "nn/dtype_names.hpp"
#include "nn/pickle_globals.hpp"
#include "nn/safetensors_header.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <numeric>
#include <set>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

namespace kindling {

namespace {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

constexpr std::uint64_t length_bytes = 8;
constexpr std::uint64_t max_header = 100'000'000;  // the limit of the format's own library
constexpr std::uint64_t alignment = 64;

using detail::SafetensorsEntry;
using detail::SafetensorsHeader;

Error bad(const std::string& where, const std::string& reason) {
  return Error(ErrorCode::bad_weights, reason, {{"path", where}}, "get the file again; it may be cut short");
}

std::uint64_t header_length(std::span<const std::uint8_t> bytes, const std::string& where) {
  std::uint64_t length = 0;
  if (bytes.size() < length_bytes) throw bad(where, "the file is too short for a safetensors file");
  std::memcpy(&length, bytes.data(), length_bytes);
  if (length > max_header) {
    throw bad(where, "the safetensors header is longer than 100 MB, or this is no safetensors file")
        .with({"bytes", length});
  }
  if (length > bytes.size() - length_bytes) {
    throw bad(where, "the safetensors header is longer than the file").with({"bytes", length});
  }
  if (length == 0 || bytes[length_bytes] != '{')
    throw bad(where, "the safetensors header does not begin with '{'");
  return length;
}

/// Bytes of a shape; also refuses sizes whose strides would overflow although one of them is zero.
std::uint64_t bytes_of(const SafetensorsEntry& entry, c10::ScalarType dtype, const std::string& where) {
  std::int64_t bounded = static_cast<std::int64_t>(c10::elementSize(dtype));
  bool empty = false;
  for (const std::int64_t size : entry.shape) {
    empty = empty || size == 0;
    if (__builtin_mul_overflow(bounded, std::max<std::int64_t>(size, 1), &bounded)) {
      throw bad(where, "a tensor's shape overflows").with({"tensor", detail::display_name(entry.name)});
    }
  }
  return empty ? 0 : static_cast<std::uint64_t>(bounded);
}

c10::ScalarType dtype_of(const SafetensorsEntry& entry, const std::string& where) {
  const auto dtype = detail::dtype_of_safetensors(entry.dtype);
  if (dtype) return *dtype;
  throw Error(ErrorCode::unsupported,
              fmt::format("tensors of dtype {} are not supported", detail::display_name(entry.dtype)),
              {{"path", where}, {"tensor", detail::display_name(entry.name)}},
              "convert the file to one of F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL");
}

/// The tensors must cover the data from its first byte to its last, once.
void check_layout(const SafetensorsHeader& header, std::uint64_t data_bytes, const std::string& where) {
  std::vector<const SafetensorsEntry*> order;
  for (const auto& entry : header.entries) order.push_back(&entry);
  std::ranges::stable_sort(order, {}, [](const SafetensorsEntry* e) { return std::pair(e->begin, e->end); });
  std::uint64_t at = 0;
  for (const auto* entry : order) {
    const auto fail = [&](const char* reason) {
      return bad(where, reason)
          .with({"tensor", detail::display_name(entry->name)})
          .with({"begin", entry->begin})
          .with({"end", entry->end});
    };
    if (entry->end < entry->begin) throw fail("a tensor's data_offsets run backwards");
    if (entry->end > data_bytes)
      throw fail("a tensor's data lies beyond the end of the file").with({"data_bytes", data_bytes});
    if (entry->begin < at) throw fail("two tensors overlap");
    if (entry->begin > at) throw fail("there is a hole before a tensor's data");
    if (entry->end - entry->begin != bytes_of(*entry, dtype_of(*entry, where), where)) {
      throw fail("a tensor's data_offsets do not fit its shape and dtype");
    }
    at = entry->end;
  }
  if (at != data_bytes)
    throw bad(where, "the file holds bytes that belong to no tensor").with({"offset", at});
}

at::Tensor tensor_at(const SafetensorsEntry& entry, std::span<const std::uint8_t> data,
                     const std::shared_ptr<const void>& keep, const std::string& where) {
  const c10::ScalarType dtype = dtype_of(entry, where);
  const auto part =
      data.subspan(static_cast<std::size_t>(entry.begin), static_cast<std::size_t>(entry.end - entry.begin));
  if (dtype == at::kBool && std::ranges::any_of(part, [](std::uint8_t b) { return b > 1; })) {
    throw bad(where, "a bool is neither 0 nor 1").with({"tensor", detail::display_name(entry.name)});
  }
  const bool aligned = reinterpret_cast<std::uintptr_t>(part.data()) % c10::elementSize(dtype) == 0;
  if (part.empty() || !aligned) {
    at::Tensor copy = at::empty(entry.shape, at::dtype(dtype));
    if (!part.empty()) std::memcpy(copy.mutable_data_ptr(), part.data(), part.size());
    return copy;
  }
  return at::from_blob(
      const_cast<std::uint8_t*>(part.data()), entry.shape, [keep](void*) {}, at::dtype(dtype));
}

// ---- writing

struct Prepared {
  std::string name;
  at::Tensor tensor;  // contiguous, on the CPU
  std::uint64_t begin = 0;
};

at::Tensor writable(const std::string& name, const at::Tensor& tensor) {
  const std::vector<Fact> facts{{"tensor", name}};
  if (!tensor.defined()) throw Error(ErrorCode::usage, "an undefined tensor cannot be written", facts);
  if (tensor.layout() != at::kStrided || detail::safetensors_name(tensor.scalar_type()).empty()) {
    throw Error(ErrorCode::unsupported,
                fmt::format("a tensor of type {} cannot be written to a safetensors file", tensor.toString()),
                facts, "convert it first, e.g. with .to(torch::kFloat32)");
  }
  return tensor.detach().cpu().resolve_conj().resolve_neg().contiguous();
}

/// Offsets in an order by falling item size, so that every tensor is aligned to its own items without holes.
std::vector<Prepared> prepare(const Weights::Named& tensors) {
  std::vector<Prepared> all;
  std::set<std::string_view> names;
  for (const auto& [name, tensor] : tensors) {
    if (name.empty() || name == "__metadata__" || !names.insert(name).second) {
      throw Error(ErrorCode::usage, "tensors in a safetensors file need different names", {{"tensor", name}});
    }
    all.push_back({name, writable(name, tensor), 0});
  }
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](std::size_t i) { return all[i].tensor.element_size(); });
  std::uint64_t at = 0;
  for (const std::size_t i : order) {
    all[i].begin = at;
    at += all[i].tensor.nbytes();
  }
  return all;
}

std::string header_text(const std::vector<Prepared>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  // Written piece by piece: an ordered Json of many keys is quadratic.
  std::string text = "{";
  const auto quoted = [](const std::string& s) {
    try {
      return Json(s).dump();
    } catch (const Json::exception&) {
      throw Error(ErrorCode::usage, "names and metadata in a safetensors file must be UTF-8",
                  {{"text", detail::display_name(s)}});
    }
  };
  if (!metadata.empty()) {
    text += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) text += quoted(key) + ":" + quoted(value) + ",";
    text.back() = '}';
    text += ',';
  }
  for (const auto& entry : tensors) {
    const Json shape(entry.tensor.sizes().vec());
    text += fmt::format(R"({}:{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}},)", quoted(entry.name),
                        detail::safetensors_name(entry.tensor.scalar_type()), shape.dump(), entry.begin,
                        entry.begin + entry.tensor.nbytes());
  }
  if (text.back() == ',') text.pop_back();
  text += '}';
  const std::uint64_t used = length_bytes + text.size();
  text.append(static_cast<std::size_t>((alignment - used % alignment) % alignment), ' ');
  if (text.size() > max_header) {
    throw Error(ErrorCode::limit, "the header of a safetensors file may have 100 MB",
                {{"bytes", text.size()}});
  }
  return text;
}

}  // namespace

Weights read_safetensors(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> keep,
                         const std::string& where) {
  const std::uint64_t length = header_length(bytes, where);
  const auto text = bytes.subspan(length_bytes, static_cast<std::size_t>(length));
  SafetensorsHeader header = detail::parse_safetensors_header(
      {reinterpret_cast<const char*>(text.data()), text.size()}, length_bytes, where);
  const auto data = bytes.subspan(static_cast<std::size_t>(length_bytes + length));
  check_layout(header, data.size(), where);
  Weights::Named tensors;
  for (const auto& entry : header.entries)
    tensors.emplace_back(entry.name, tensor_at(entry, data, keep, where));
  return Weights(std::move(tensors), std::move(header.metadata));
}

namespace {

/// Everything that the file holds, in order: length, header, tensors.
void write_all(const std::string& header, const std::vector<Prepared>& by_offset,
               const std::function<void(const void*, std::size_t)>& write) {
  const std::uint64_t length = header.size();
  write(&length, sizeof length);
  write(header.data(), header.size());
  for (const auto& entry : by_offset) {
    if (entry.tensor.nbytes() > 0) write(entry.tensor.const_data_ptr(), entry.tensor.nbytes());
  }
}

std::string digest_of(const std::string& header, const std::vector<Prepared>& by_offset) {
  detail::Sha256 sha;
  write_all(header, by_offset, [&](const void* data, std::size_t size) {
    sha.update({static_cast<const std::uint8_t*>(data), size});
  });
  return sha.hex();
}

}  // namespace

void save_safetensors(const fs::path& path, const Weights::Named& tensors,
                      const std::map<std::string, std::string>& metadata, const SaveOptions& options) {
  const std::vector<Prepared> prepared = prepare(tensors);
  std::vector<Prepared> by_offset = prepared;
  std::ranges::sort(by_offset, {}, &Prepared::begin);
  auto all_metadata = metadata;
  if (options.sealed) all_metadata[seal_key] = unsealed;
  std::string header = header_text(prepared, all_metadata);
  if (options.sealed) {
    all_metadata[seal_key] = digest_of(header, by_offset);
    header = header_text(prepared, all_metadata);
  }
  AtomicFile file(path);
  write_all(header, by_offset, [&](const void* data, std::size_t size) { file.write(data, size); });
  file.commit();
}

}  // namespace kindling
