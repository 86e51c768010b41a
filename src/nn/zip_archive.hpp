#pragma once
/// Walks a zip archive (a `.pth`, a wheel) that lies in memory.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

struct archive;

namespace kindling::detail {

/// One file of the archive, while it is being visited.
class ZipEntry {
 public:
  ZipEntry(archive* source, std::string name, std::uint64_t size, const std::string& where)
      : source_(source), name_(std::move(name)), size_(size), where_(where) {}
  /// As the archive says; never a path to write to.
  const std::string& name() const { return name_; }
  std::uint64_t size() const { return size_; }
  /// Fills `target`, which has `size()` bytes, and checks the checksum. Throws `bad_weights`.
  void read(void* target) const;
  std::string read_text() const;

 private:
  archive* source_;
  std::string name_;
  std::uint64_t size_;
  const std::string& where_;
};

/// Calls `visit` for every regular file in the archive until it returns false. Throws `bad_weights`.
void visit_zip(std::span<const std::uint8_t> bytes, const std::string& where,
               const std::function<bool(const ZipEntry&)>& visit);

/// Starts with a local file header.
bool looks_like_zip(std::span<const std::uint8_t> bytes);

}  // namespace kindling::detail
