#pragma once
/// An open file of the system that closes itself, and reads and writes that go on where a signal or a short
/// count stopped them.

#include <kindling/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <utility>

namespace kindling::detail {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { close(); }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void close();

 private:
  int fd_ = -1;
};

/// Opens an existing file that is not a folder.
FileDescriptor open_for_reading(const std::filesystem::path& path);

/// Size as the file system states it; 0 for files that have none (/proc, pipes).
std::uint64_t stated_size(const FileDescriptor& file, const std::filesystem::path& path);

/// Reads up to `size` bytes; fewer only at the end of the file.
std::size_t read_some(const FileDescriptor& file, void* data, std::size_t size,
                      const std::filesystem::path& path);

/// Hands the whole file to `use` in blocks.
void read_blocks(const FileDescriptor& file, const std::filesystem::path& path,
                 const std::function<void(std::span<const std::uint8_t>)>& use);

/// The folder that a file is in.
std::filesystem::path folder_of(const std::filesystem::path& path);

/// As `system_error`; a missing folder is named.
Error write_error(int errno_value, const std::filesystem::path& path);

void write_all(int fd, const void* data, std::size_t size, const std::filesystem::path& path);

/// Forces the file's bytes to the disk, where the file has one.
void sync_to_disk(int fd, const std::filesystem::path& path);

/// Makes a rename in `folder` survive a power cut, where the file system can.
void sync_folder(const std::filesystem::path& folder);

}  // namespace kindling::detail
