#include "nn/weights_source.hpp"

#include <kindling/core/error.hpp>

#include "nn/pickle_globals.hpp"
#include "nn/zip_archive.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

namespace kindling::detail {

namespace {

constexpr std::uint64_t max_inner_bytes = std::uint64_t{4} << 30;
constexpr std::array<std::string_view, 4> extensions{".safetensors", ".pth", ".pt", ".th"};

std::string base_name(const std::string& name) {
  return name.substr(name.find_last_of('/') + 1);
}

bool is_weights_name(const std::string& name) {
  return std::ranges::any_of(extensions, [&](std::string_view e) { return name.ends_with(e); });
}

struct Inner {
  std::string name;
  std::shared_ptr<Bytes> bytes;
};

/// The weights file in a zip; nothing when the zip is a `.pth` itself.
std::optional<Inner> find_inner(std::span<const std::uint8_t> bytes, const std::string& where) {
  bool is_pth = false;
  std::optional<Inner> found;
  visit_zip(bytes, where, [&](const ZipEntry& entry) {
    if (base_name(entry.name()) == "data.pkl") is_pth = true;
    if (is_pth) return false;
    if (!is_weights_name(entry.name())) return true;
    if (found) {
      throw Error(
          ErrorCode::bad_weights, "the archive holds more than one weights file",
          {{"path", where}, {"first", display_name(found->name)}, {"second", display_name(entry.name())}},
          "unpack it and add the one you mean");
    }
    if (entry.size() > max_inner_bytes) {
      throw Error(ErrorCode::limit, "the weights file in the archive is too large",
                  {{"path", where}, {"bytes", entry.size()}, {"allowed", max_inner_bytes}},
                  "unpack it and add the file");
    }
    found = Inner{entry.name(), std::make_shared<Bytes>(static_cast<std::size_t>(entry.size()))};
    entry.read(found->bytes->data());
    return true;
  });
  if (is_pth) return std::nullopt;
  if (!found) {
    throw Error(ErrorCode::bad_weights, "the archive holds no weights file", {{"path", where}},
                "a .safetensors, .pth, .pt or .th file is expected in it");
  }
  return found;
}

}  // namespace

WeightsSource open_weights_source(const fs::path& path) {
  const auto file = std::make_shared<MappedFile>(path);
  WeightsSource source{path.filename().string(), "", "", path.string(), file->bytes(), file};
  if (looks_like_zip(file->bytes())) {
    if (auto inner = find_inner(file->bytes(), source.where)) {
      source.outer = source.file;
      source.file = base_name(inner->name);
      source.where += " (" + display_name(inner->name) + ")";
      source.bytes = *inner->bytes;
      source.keep = inner->bytes;
    }
  }
  source.sha256 = sha256_of(source.bytes);
  return source;
}

}  // namespace kindling::detail
