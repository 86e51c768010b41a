#pragma once
/// Files read whole, mapped, and written so that a reader never sees half of one.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kindling {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

/// The whole file. Throws `not_found`, `io`, or `limit` when it is larger than `max_bytes`.
Bytes read_file(const fs::path& path, std::uint64_t max_bytes = std::uint64_t{1} << 32);
/// The same as text.
std::string read_text(const fs::path& path, std::uint64_t max_bytes = std::uint64_t{1} << 30);

/// A file mapped read-only into memory; unmapped with the last copy. An empty file gives an empty span.
class MappedFile {
 public:
  explicit MappedFile(const fs::path& path);
  std::span<const std::uint8_t> bytes() const { return bytes_; }
  const fs::path& path() const { return path_; }
  /// Lets the memory of this part go; bytes of it are read from the file again where they are looked at.
  void release(std::string_view part) const;

 private:
  std::shared_ptr<const void> keep_;
  std::span<const std::uint8_t> bytes_;
  fs::path path_;
};

/// Writes a file that appears whole or not at all: a temporary beside it, fsync, rename.
/// Destroyed without `commit()`, it leaves no trace and an older file of that name as it was.
class AtomicFile {
 public:
  explicit AtomicFile(fs::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// Flushes to the disk and gives the file its name. Throws `no_space` or `io`; then nothing has changed.
  void commit();

 private:
  fs::path path_;
  fs::path temporary_;
  int fd_ = -1;
};

/// AtomicFile in one call.
void write_file(const fs::path& path, std::string_view contents);
void write_file(const fs::path& path, std::span<const std::uint8_t> contents);

/// Lower-case hex SHA-256 of a file, read in blocks.
std::string sha256_of(const fs::path& path);
std::string sha256_of(std::span<const std::uint8_t> bytes);

/// `$KINDLING_HOME`, else `~/.cache/kindling`. Not created.
fs::path kindling_home();

/// "4.6 MB" of a byte count (decimal units).
std::string human_bytes(std::uint64_t bytes);

}  // namespace kindling
